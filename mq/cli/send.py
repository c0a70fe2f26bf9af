"""`mq send`: one message, many numbered ones, or the lines of standard input.

Few messages go one by one, as any RocketMQ client sends them. Many plain ones go in batches, which only this
broker understands and which are a good deal faster.
"""

import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from mq.cli.options import DURATION, Session, client_command
from mq.cli.output import note, print_json, print_table
from mq.cli.progress import progress

if TYPE_CHECKING:
    from mq.client.views import BatchResult

__all__ = ["send_command"]

_BATCH_FROM = 100
_BATCH_MESSAGES = 100
_BATCH_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_LISTED_MAX = 1000


@dataclass
class _Order:
    """What to send. count: None for one message, or all lines."""

    topic: str
    body: str
    count: int | None
    keys: tuple[str, ...]
    tag: str
    properties: dict[str, str]
    group_key: str
    delay_ms: int | None

    @property
    def is_input(self) -> bool:
        return self.body == "-"

    @property
    def is_plain(self) -> bool:
        return not self.group_key and self.delay_ms is None

    def bodies(self) -> Iterator[bytes]:
        """All bodies, but for those of standard input."""
        if self.count is None:
            yield self.body.encode()
        else:
            for number in range(1, self.count + 1):
                yield f"{self.body} {number}".encode()


@dataclass
class _Report:
    """What was stored. messages: (message id, offset) of the first ones."""

    sent: int = 0
    duplicates: int = 0
    messages: list[dict[str, object]] = field(default_factory=list)

    def add(self, message_id: str, offset: int) -> None:
        if len(self.messages) < _LISTED_MAX:
            self.messages.append({"message_id": message_id, "offset": offset})


def _properties(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param=parameter)
        pairs[name] = text
    return pairs


@click.command("send")
@client_command
@click.argument("topic")
@click.argument("body", required=False)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="So many messages, BODY with a number each; or so many lines.")
@click.option("--key", "keys", multiple=True, help="A key to look it up by; may be repeated.")
@click.option("--tag", default="", help="A tag that consumers can filter by.")
@click.option("--property", "properties", multiple=True, metavar="NAME=VALUE", callback=_properties, help="A user property; may be repeated.")
@click.option("--group-key", default="", metavar="KEY", help="Message group: such messages stay in order (topics of type fifo).")
@click.option("--delay", "delay_ms", type=DURATION, metavar="DURATION", help="Deliver only after this span, such as 5s (topics of type delay).")
def send_command(
    session: Session, topic: str, body: str | None, count: int | None, keys: tuple[str, ...], tag: str,
    properties: dict[str, str], group_key: str, delay_ms: int | None,
) -> int:  # fmt: skip
    """Send BODY to TOPIC, or with - each line of standard input as a message.

    JSON: "messages" lists the first 1000.
    """
    if body is None and count is None:
        raise click.UsageError("give a BODY, or - for the lines of standard input, or --count N")
    if group_key and delay_ms is not None:
        raise click.UsageError("--group-key and --delay exclude each other: a topic is either of type fifo or of type delay")
    order = _Order(topic, body or "message", count, keys, tag, properties, group_key, delay_ms)
    if order.is_input and not order.is_plain:
        raise click.UsageError("--group-key and --delay do not go together with - yet")
    report, began = _Report(), time.monotonic()
    is_batched = order.is_plain and (order.is_input or (count or 1) >= _BATCH_FROM)
    try:
        with progress(f"sending to {topic}", order.count if not order.is_input else None) as advance:
            report_step = _Stepper(report, advance)
            if is_batched:
                import asyncio  # noqa: PLC0415 - not for single messages

                asyncio.run(_send_batches(session, order, report_step))
            else:
                _send_one_by_one(session, order, report_step)
    finally:
        if sys.exc_info()[0] is not None and report.sent:
            note(f"mq: {report.sent} message(s) are stored")
    _print(session, order, report, time.monotonic() - began)
    return 0 if report.sent + report.duplicates else 1


@dataclass
class _Stepper:
    """Counts into a report and moves the progress bar."""

    report: _Report
    advance: "object"

    def __call__(self, sent: int, duplicates: int = 0) -> None:
        self.report.sent += sent
        self.report.duplicates += duplicates
        assert callable(self.advance)
        self.advance(sent + duplicates)
