"""`mq group`."""

from typing import TYPE_CHECKING

import click

from mq.cli.options import Session, WholeNumber, client_command
from mq.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from mq.client.views import ProgressView

__all__ = ["group_command"]

_COLUMNS = ("name", "fifo", "max attempts")


@click.group("group")
def group_command() -> None:
    """Create, list, describe, reset and delete consumer groups."""


@group_command.command("create")
@client_command
@click.argument("name")
@click.option(
    "--fifo/--no-fifo",
    "is_fifo",
    default=None,
    help="Deliver each message group in order, one message after the other.  [default of a new group: no]",
)
@click.option(
    "--max-attempts",
    type=WholeNumber(1, 1000),
    help="Deliveries in all, before a dead letter.  [default of a new group: 17]",
)
def _create(session: Session, name: str, is_fifo: bool | None, max_attempts: int | None) -> None:  # noqa: FBT001 - click's own way
    """Create consumer group NAME, or change its settings; what is not given stays as it is."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        group = AdminClient(connection).create_group(name, is_fifo=is_fifo, max_attempts=max_attempts or 0)
    if session.is_json:
        print_json(group)
    else:
        print_table(_COLUMNS, [(group.name, group.is_fifo, group.max_attempts)])


@group_command.command("list")
@client_command
def _list(session: Session) -> None:
    """List all consumer groups."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        groups = AdminClient(connection).groups()
    if session.is_json:
        print_json(groups)
    else:
        print_table(_COLUMNS, [(g.name, g.is_fifo, g.max_attempts) for g in groups])


def _print_progress(rows: "tuple[ProgressView, ...] | list[ProgressView]") -> None:
    has_several = any(row.broker for row in rows)
    columns = ("topic", *(("broker",) if has_several else ()), "queue", "consumer offset", "max offset", "lag", "in flight")
    cells = [
        (r.topic, *((r.broker,) if has_several else ()), r.queue_id, r.consumer_offset, r.max_offset, r.lag, r.in_flight)
        for r in rows
    ]
    print_table(columns, cells)


@group_command.command("describe")
@client_command
@click.argument("name")
def _describe(session: Session, name: str) -> None:
    """Show group NAME: its progress in each queue, and its clients."""
    from mq.cli.failing import missing_is_no_invitation  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with missing_is_no_invitation("group", name), session.connect() as connection:
        found = AdminClient(connection).describe_group(name)
    if session.is_json:
        print_json(found)
        return
    print_table(_COLUMNS, [(found.group.name, found.group.is_fifo, found.group.max_attempts)])
    print()
    _print_progress(found.queues)
    if found.clients:
        print()
        rows = [(c.client_id, c.type, c.language, c.version, c.address, round(c.last_heard_ms / 1000, 1)) for c in found.clients]
        print_table(("client", "type", "language", "version", "address", "heard s ago"), rows)


@group_command.command("reset", short_help="Move the consumer offsets of group NAME.")
@client_command
@click.argument("name")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="earliest|latest|OFFSET",
    help="Where it goes on; an offset is brought into each queue's range.",
)
@click.option("--topic", default="", help="Only in this topic; otherwise in all that it has read.")
def _reset(session: Session, name: str, target: str, topic: str) -> int:
    """Move the consumer offsets of group NAME; what it holds in flight is forgotten.

    Exit code 1: there was nothing to move.
    """
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    place: str | int = target.lower()
    if target.isascii() and target.isdecimal():
        place = int(target)
    elif place not in ("earliest", "latest"):
        raise click.BadParameter(f"{target!r} is not earliest, latest or an offset from 0", param_hint="--to")
    with session.connect() as connection:
        rows = AdminClient(connection).reset_group(name, topic=topic, to=place)
    if session.is_json:
        print_json(rows)
    elif rows:
        _print_progress(rows)
    if not rows:
        note(f"mq: group {name} has read no topic yet, so nothing is moved; name one with --topic")
    return 0 if rows else 1


@group_command.command("delete")
@client_command
@click.argument("name")
def _delete(session: Session, name: str) -> None:
    """Delete group NAME and its progress."""
    from mq.cli.failing import missing_is_no_invitation  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with missing_is_no_invitation("group", name), session.connect() as connection:
        AdminClient(connection).delete_group(name)
    if session.is_json:
        print_json({"deleted": name})
    else:
        note(f"group {name} is deleted")
