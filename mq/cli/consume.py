"""`mq consume`: prints messages, and acknowledges them once they are printed."""

import re
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from mq.cli.options import Number, Session, WholeNumber, client_command
from mq.cli.output import as_text, note, print_json, print_line

if TYPE_CHECKING:
    from mq.client.views import ReceivedMessage
    from mq.rpc.message_client import MessageClient

__all__ = ["consume_command"]

_RECEIVE_MAX = 32
_POLL_MS_MAX = 15_000
_PAUSE_S = 1.0
_GOODBYE_S_MAX = 3.0
_SQL = re.compile(r"[<>=]|\s(and|or|in|is|not|between|like)\s", re.IGNORECASE)


def _tags(_context: click.Context, parameter: click.Parameter, value: str) -> str:
    """What the broker would take for a tag of an odd name, and then wait for in vain, is refused here."""
    tags = [tag.strip() for tag in value.split("||")]
    if not all(tags):
        raise click.BadParameter(f"{value!r} has a place without a tag; tags are joined like this: 'a || b'", param=parameter)
    if any(_SQL.search(tag) for tag in tags):
        raise click.BadParameter(
            f"{value!r} looks like SQL, which comes with a later stage; only tags can be named, joined by ||: 'a || b'",
            param=parameter,
        )
    return value


@click.command("consume")
@client_command
@click.argument("topic")
@click.option("--group", required=True, help="Consumer group; made on first use.")
@click.option("--count", type=WholeNumber(min=1), metavar="N", help="Stop after so many messages.")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C, also while the broker is away.")
@click.option(
    "--wait",
    "wait_s",
    type=Number(0, 86_400),
    default=5.0,
    show_default=True,
    metavar="SECS",
    help="Stop after so long without a message.",
)
@click.option(
    "--tag",
    "tags",
    default="*",
    show_default=True,
    metavar="EXPRESSION",
    callback=_tags,
    help="Only these tags, such as 'a || b'. What is left out is passed over: this group will not get it later either.",
)
def consume_command(session: Session, topic: str, group: str, count: int | None, **how: object) -> int:
    """Print the messages of TOPIC, one body a line, and acknowledge them.

    With -o json each message is an object in a line of its own. Exit code 1: there was none, or fewer than --count.
    """
    from mq.rpc.message_client import MessageClient  # noqa: PLC0415

    follow, wait_s, tags = bool(how["follow"]), float(str(how["wait_s"])), str(how["tags"])
    with session.connect() as connection:
        client = MessageClient(connection)
        try:
            printed = _consume(_Source(client, topic, group, tags, session.is_json), count, None if follow else wait_s)
        except KeyboardInterrupt:
            # Where it hit gRPC amid its own bookkeeping, the next call on that connection waits for ever.
            client = MessageClient(session.connect(connection.client_id))
            raise
        finally:
            _say_goodbye(client, group)
    if printed < (count or 1):
        note(f"mq: {printed} message(s) within {wait_s:g} s")
        return 1
    return 0


def _say_goodbye(client: "MessageClient", group: str) -> None:
    """For no longer than that may take, whatever holds it."""
    saying = threading.Thread(target=client.say_goodbye, args=(group,), daemon=True)
    saying.start()
    saying.join(_GOODBYE_S_MAX)


class _Source:
    """A subscription, and how its messages are printed."""

    def __init__(self, client: "MessageClient", topic: str, group: str, tags: str, is_json: bool) -> None:  # noqa: FBT001
        self._client, self._topic, self._group, self._tags, self._is_json = client, topic, group, tags, is_json

    def receive(self, count: int, wait_s: float) -> "list[ReceivedMessage]":
        wait_ms = min(_POLL_MS_MAX, max(0, int(wait_s * 1000)))
        return self._client.receive(self._topic, self._group, count=count, wait_ms=wait_ms, tags=self._tags)

    def print_and_ack(self, received: "list[ReceivedMessage]") -> None:
        """A message whose line could not be written is not acknowledged: it comes again."""
        for one in received:
            if self._is_json:
                print_json(one.message, is_line=True)
            elif sys.stdout.isatty():
                print_line(as_text(one.message.body))
            else:
                sys.stdout.buffer.write(one.message.body + b"\n")
                sys.stdout.buffer.flush()
        for message, reason in self._client.ack(self._topic, self._group, received):
            note(f"mq: message {message.message_id} was not acknowledged and will come again: {reason}")


def _consume(source: _Source, count: int | None, wait_s: float | None) -> int:
    """Returns how many messages were printed. wait_s: None goes on for ever."""
    from mq.client.errors import is_worth_repeating  # noqa: PLC0415
    from mq.core.errors import MqError  # noqa: PLC0415

    printed, quiet_since = 0, time.monotonic()
    while count is None or printed < count:
        left_s = _POLL_MS_MAX / 1000 if wait_s is None else wait_s - (time.monotonic() - quiet_since)
        most = _RECEIVE_MAX if count is None else min(_RECEIVE_MAX, count - printed)
        try:
            received = source.receive(most, left_s)
            source.print_and_ack(received)
        except MqError as error:
            # A delivery that was lost on its way comes again by itself.
            if wait_s is not None or not is_worth_repeating(error, is_idempotent=True):
                raise
            note(f"mq: {error}; trying again")
            time.sleep(_PAUSE_S)
            continue
        printed += len(received)
        if received:
            quiet_since = time.monotonic()
        elif wait_s is not None and time.monotonic() - quiet_since >= wait_s:
            break
    return printed
