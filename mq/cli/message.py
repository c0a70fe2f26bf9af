"""`mq message`: stored messages, without touching any consumer group."""

from typing import TYPE_CHECKING

import click

from mq.cli.options import Session, WholeNumber, client_command
from mq.cli.output import as_text, note, print_json, print_line, print_table, show_time

if TYPE_CHECKING:
    from mq.client.views import MessageView
    from mq.rpc.admin_client import AdminClient

__all__ = ["message_command"]


@click.group("message")
def message_command() -> None:
    """Look at stored messages; no consumer group is affected."""


@message_command.command("get")
@client_command
@click.argument("topic")
@click.argument("queue", type=WholeNumber(min=0))
@click.argument("offset", type=WholeNumber(min=0))
def _get(session: Session, topic: str, queue: int, offset: int) -> None:
    """Show all of the message at OFFSET of QUEUE in TOPIC."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        message = AdminClient(connection).get_message(topic, queue, offset)
    if session.is_json:
        print_json(message)
    else:
        _print_whole(message)


@message_command.command("query")
@client_command
@click.argument("topic")
@click.option("--id", "message_id", default="", help="The message's id.")
@click.option("--key", default="", help="One of its keys. (Comes with a later stage; until then --id.)")
@click.option("--count", type=WholeNumber(1, 1000), default=32, show_default=True, help="At most so many.")
def _query(session: Session, topic: str, message_id: str, key: str, count: int) -> int:
    """Find messages of TOPIC by --id; look-up by --key comes with a later stage."""
    from mq.core.errors import Code, RefusedError  # noqa: PLC0415
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    if bool(message_id) == bool(key):
        raise click.UsageError("give --id or --key, one of them")
    with session.connect() as connection:
        try:
            messages = AdminClient(connection).query_messages(topic, message_id=message_id, key=key, count=count)
        except RefusedError as error:
            if error.code != Code.NOT_IMPLEMENTED or not key:
                raise
            text = "this broker cannot look up by --key yet; give --id, or search the bodies with `mq message peek --text`"
            raise RefusedError(error.code, text) from None
    return _print(session, messages)


@message_command.command("peek")
@client_command
@click.argument("topic")
@click.option("--queue", type=WholeNumber(min=0), help="Only this queue; otherwise one after the other.")
@click.option(
    "--offset",
    default="earliest",
    show_default=True,
    metavar="earliest|latest|OFFSET",
    help="Where to begin; latest shows the last ones.",
)
@click.option("--count", type=WholeNumber(min=1), default=20, show_default=True, help="At most so many of each queue.")
@click.option("--text", default="", help="Only messages with this text somewhere in them.")
def _peek(session: Session, topic: str, queue: int | None, **how: str | int) -> int:
    """Show messages of TOPIC."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    offset, count, text = str(how["offset"]).lower(), int(how["count"]), str(how["text"])
    if offset not in ("earliest", "latest") and not (offset.isascii() and offset.isdecimal()):
        raise click.BadParameter(f"{offset!r} is not earliest, latest or an offset from 0", param_hint="--offset")
    messages: list[MessageView] = []
    with session.connect() as connection:
        admin = AdminClient(connection)
        queues = [queue] if queue is not None else [state.queue_id for state in admin.describe_topic(topic).queues]
        for queue_id in queues:
            messages += _read(admin, topic, queue_id, offset, count, text)
    return _print(session, messages)


def _read(admin: "AdminClient", topic: str, queue_id: int, offset: str, count: int, text: str) -> "list[MessageView]":
    """Up to `count` messages of one queue, page by page."""
    page = admin.peek(topic, queue_id, 0, 1)
    at = page.min_offset if offset == "earliest" else page.max_offset - count if offset == "latest" else int(offset)
    at = max(at, page.min_offset)
    found: list[MessageView] = []
    while len(found) < count and at < page.max_offset:
        page = admin.peek(topic, queue_id, at, count - len(found), text=text)
        found += page.messages
        if page.next_offset <= at:
            break
        at = page.next_offset
    return found[:count]


def _print(session: Session, messages: "list[MessageView]") -> int:
    if session.is_json:
        print_json(messages)
    elif messages:
        columns = ("queue", "offset", "stored", "message id", "tag", "keys", "body")
        rows = [(m.queue_id, m.offset, show_time(m.store_ms), m.message_id, m.tag, " ".join(m.keys), m.body) for m in messages]
        print_table(columns, rows)
    if not messages:
        note("mq: no message was found")
    return 0 if messages else 1


def _print_whole(message: "MessageView") -> None:
    origin = " ".join(message.origin) if message.origin else ""
    rows = (
        ("topic", message.topic),
        ("queue", message.queue_id),
        ("offset", message.offset),
        ("message id", message.message_id),
        ("type", message.type),
        ("tag", message.tag),
        ("keys", " ".join(message.keys)),
        ("message group", message.message_group),
        ("born", show_time(message.born_ms)),
        ("stored", show_time(message.store_ms)),
        ("delivery", show_time(message.delivery_ms) if message.delivery_ms else ""),
        ("dead letter of", origin),
        *((f"property {name}", value) for name, value in message.properties.items()),
        ("size", f"{len(message.body)} bytes"),
        ("body", as_text(message.body)),
    )
    for name, value in rows:
        if value != "":
            print_line(f"{name + ':':16} {as_text(value)}")
