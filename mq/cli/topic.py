"""`mq topic`."""

from typing import TYPE_CHECKING

import click

from mq.cli.options import Session, WholeNumber, any_case, client_command
from mq.cli.output import note, print_json, print_table
from mq.core.limits import QUEUES_PER_TOPIC_MAX

if TYPE_CHECKING:
    from mq.client.views import TopicView

__all__ = ["topic_command"]

_COLUMNS = ("name", "type", "queues", "permission")


@click.group("topic")
def topic_command() -> None:
    """Create, widen, list, describe and delete topics."""


@topic_command.command("create")
@client_command
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=any_case("normal", "fifo", "delay", "transaction"),
    help="What it accepts; it stays so.  [default of a new topic: normal]",
)
@click.option(
    "--queues",
    type=WholeNumber(1, QUEUES_PER_TOPIC_MAX),
    help="An existing topic can only get more.  [default of a new topic: 8]",
)
@click.option(
    "--permission",
    type=any_case("read_write", "read", "write", "none"),
    help="For all clients.  [default of a new topic: read_write]",
)
def _create(session: Session, name: str, kind: str | None, queues: int | None, permission: str | None) -> None:
    """Create topic NAME, or change its queues and permission.

    One that is so already is fine; what is not given stays as it is. Of one that exists it is told what was changed, or that
    nothing was.
    """
    from mq.core.message import MessageKind, Permission  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        admin = AdminClient(connection)
        before = next((one for one in admin.topics() if one.name == name), None)
        topic = admin.create_topic(
            name,
            kind=MessageKind[kind.upper()] if kind else None,
            queues=queues or 0,
            permission=Permission[permission.upper()] if permission else None,
        )
    if before is not None:
        note(_about_one_that_exists(before, topic))
    if session.is_json:
        print_json(topic)
    else:
        print_table(_COLUMNS, [(topic.name, topic.type, topic.queues, topic.permission)])


def _about_one_that_exists(before: "TopicView", now: "TopicView") -> str:
    pairs = [(name, getattr(before, name), getattr(now, name)) for name in _COLUMNS[1:]]
    changed = [f"{name} {old} before, {new} now" for name, old, new in pairs if old != new]
    if changed:
        return f"topic {now.name} existed already, and was changed: {'; '.join(changed)}"
    return f"topic {now.name} exists already, with type {now.type}, {now.queues} queues, {now.permission}: nothing was changed"


@topic_command.command("list")
@client_command
def _list(session: Session) -> None:
    """List all topics."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        topics = AdminClient(connection).topics()
    if session.is_json:
        print_json(topics)
    else:
        print_table(_COLUMNS, [(t.name, t.type, t.queues, t.permission) for t in topics])


@topic_command.command("describe")
@client_command
@click.argument("name")
def _describe(session: Session, name: str) -> None:
    """Show topic NAME: its queues, and how far its groups are behind."""
    from mq.cli.failing import missing_is_no_invitation  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with missing_is_no_invitation("topic", name), session.connect() as connection:
        found = AdminClient(connection).describe_topic(name)
    if session.is_json:
        print_json(found)
        return
    print_table(_COLUMNS, [(found.topic.name, found.topic.type, found.topic.queues, found.topic.permission)])
    print()
    has_several = any(q.broker for q in found.queues)
    rows = [
        (*((q.broker,) if has_several else ()), q.queue_id, q.min_offset, q.max_offset, q.max_offset - q.min_offset)
        for q in found.queues
    ]
    print_table((*(("broker",) if has_several else ()), "queue", "min offset", "max offset", "messages"), rows)
    if found.groups:
        print()
        print_table(("group", "lag", "in flight"), [(g.group, g.lag, g.in_flight) for g in found.groups])


@topic_command.command("widen")
@client_command
@click.argument("name")
def _widen(session: Session, name: str) -> None:
    """Spread topic NAME over all broker groups that take messages, such as one that has joined.

    Each gets as many queues as the group that has most of them; none loses any. --endpoint: a registry node.
    """
    from collections import Counter  # noqa: PLC0415

    from mq.cli.cluster_groups import groups_at  # noqa: PLC0415
    from mq.cli.failing import missing_is_no_invitation  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with missing_is_no_invitation("topic", name), session.connect() as connection:
        admin = AdminClient(connection)
        writable = {group.name for group in groups_at(connection).groups if group.is_writable}
        before = Counter(queue.broker for queue in admin.describe_topic(name).queues)
        admin.create_topic(name, queues=max(before.values()) * len(writable))
        after = Counter(queue.broker for queue in admin.describe_topic(name).queues)
    if session.is_json:
        print_json({"topic": name, "queues": dict(sorted(after.items()))})
        return
    print_table(("broker", "queues before", "queues"), [(one, before[one], after[one]) for one in sorted(after)])


@topic_command.command("delete")
@client_command
@click.argument("name")
def _delete(session: Session, name: str) -> None:
    """Delete topic NAME and its messages."""
    from mq.cli.failing import missing_is_no_invitation  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with missing_is_no_invitation("topic", name), session.connect() as connection:
        AdminClient(connection).delete_topic(name)
    if session.is_json:
        print_json({"deleted": name})
    else:
        note(f"topic {name} is deleted")
