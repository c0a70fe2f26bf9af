"""`mq send`: one message, many numbered ones, or the lines of standard input.

Few messages go one by one, as any RocketMQ client sends them. Many plain ones go in batches, which only this
broker understands and which are a good deal faster.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click

from mq.cli.options import DURATION, Session, WholeNumber, client_command
from mq.cli.output import note, print_json, print_table
from mq.cli.progress import progress
from mq.cli.send_lines import arriving_lines, line_chunks, until

if TYPE_CHECKING:
    import asyncio

    from mq.client.views import BatchResult
    from mq.core.errors import RefusedError

__all__ = ["Report", "send_command"]

_BATCH_FROM = 100
_BATCH_MESSAGES = 100
_BATCH_BYTES = 1 << 20
_LISTED_MAX = 1000
_LAST_ANSWERS_S = 1.0
"""For the batches under way when one of them has failed."""
_ADVICE_BY_TYPE = {
    "NORMAL": "leave out --group-key and --delay",
    "FIFO": "give its message group with --group-key KEY",
    "DELAY": "say when with --delay DURATION",
    "TRANSACTION": "transactions come with a later stage",
}


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What to send. count: None for one message, or for all lines."""

    topic: str
    body: str | None
    count: int | None
    keys: tuple[str, ...]
    tag: str
    properties: dict[str, str]
    group_key: str
    delay_ms: int | None

    @property
    def is_input(self) -> bool:
        """Whether the bodies are the lines of standard input."""
        return self.body == "-"

    @property
    def is_batched(self) -> bool:
        """Whether it goes in batches: only messages without order and delay do."""
        is_many = self.is_input or (self.count or 1) >= _BATCH_FROM
        return is_many and not self.group_key and self.delay_ms is None

    def bodies(self) -> Iterator[bytes]:
        """All bodies, those of standard input not among them."""
        if self.count is None:
            yield (self.body or "").encode()
            return
        text = "message" if self.body is None else self.body
        for number in range(1, self.count + 1):
            yield f"{text} {number}".encode()


@dataclass
class Report:
    """What was acknowledged. listed: message id and offset of the first ones. advance: moves the progress bar.

    sent: stored by this very answer; duplicates: stored before, so that their first answer was lost on its way. pause_s: the
    longest time in which something waited for its acknowledgement, and none came.
    """

    advance: Callable[[int], None]
    sent: int = 0
    duplicates: int = 0
    listed: list[dict[str, object]] = field(default_factory=list)
    pause_s: float = 0.0
    _waiting: int = 0
    _since_s: float = 0.0

    @property
    def acknowledged(self) -> int:
        """All that are stored, however often they were sent."""
        return self.sent + self.duplicates

    def ask(self) -> None:
        """Something leaves, for which `add` is to follow."""
        if not self._waiting:
            self._since_s = time.monotonic()
        self._waiting += 1

    def add(self, ids: Sequence[str], base_offset: int, duplicates: int = 0) -> None:
        """Messages that are stored at offsets in a row; with duplicates among them their offsets are not known."""
        now_s = time.monotonic()
        self.pause_s, self._since_s = max(self.pause_s, now_s - self._since_s), now_s
        self._waiting -= 1
        self.sent += len(ids) - duplicates
        self.duplicates += duplicates
        room = _LISTED_MAX - len(self.listed)
        for number, message_id in enumerate(ids[:room]):
            self.listed.append({"message_id": message_id, "offset": None if duplicates else base_offset + number})
        self.advance(len(ids))


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
@click.option(
    "--count", type=WholeNumber(min=1), metavar="N", help="So many messages, BODY and a number each; or at most so many lines."
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    callback=lambda _context, _parameter, values: tuple(filter(None, values)),
    help="A key, stored with it; may be repeated. (Looking messages up by key comes with a later stage.)",
)
@click.option("--tag", default="", help="A tag that consumers can filter by; an empty one is none.")
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_properties,
    help="A user property; may be repeated.",
)
@click.option("--group-key", default="", metavar="KEY", help="Message group: its messages stay in order (topics of type fifo).")
@click.option(
    "--delay",
    "delay_ms",
    type=DURATION,
    metavar="DURATION",
    help="Deliver after this span, such as 5s, at most 24h (topics of type delay).",
)
def send_command(session: Session, **options: Any) -> int:
    """Send BODY to TOPIC; with - as BODY each line of standard input, empty ones left out.

    Of 100 messages or more the sum is printed. ACKNOWLEDGED: stored, each once. ALREADY STORED: those of them that were sent
    again, as the answer to the first time was lost (its leader died, say), and that the broker knew by their ids. LONGEST PAUSE:
    seconds in which something waited for its acknowledgement and none came; while a group elects a leader, so long it takes.

    JSON: "sent" and "duplicates" (already stored) make up "acknowledged"; "messages" lists the first 1000. Exit code 1: nothing
    was sent.
    """
    order = _Order(**options)
    if order.body is None and order.count is None:
        raise click.UsageError("give a BODY, or - for the lines of standard input, or --count N")
    if order.body == "":
        raise click.UsageError("BODY is empty; a message has at least one byte")
    if order.group_key and order.delay_ms is not None:
        raise click.UsageError("--group-key and --delay exclude each other: a topic is of type fifo or of type delay")
    began = time.monotonic()
    with progress(f"sending to {order.topic}", None if order.is_input else order.count or 1) as advance:
        report = Report(advance)
        try:
            if order.is_batched:
                import asyncio  # noqa: PLC0415 - slow to load, and a single message does without

                asyncio.run(_send_batches(session, order, report))
            else:
                _send_one_by_one(session, order, report)
        except BaseException as error:
            if report.acknowledged:
                note(f"mq: before that, {report.acknowledged} message(s) were stored")
            if hinted := _with_flag(error):
                raise hinted from None
            raise
    is_any = report.acknowledged > 0
    if is_any or session.is_json:
        _print(session, order.topic, report, time.monotonic() - began)
    if not is_any:
        note("mq: standard input had no line with something in it; nothing was sent")
    return 0 if is_any else 1


def _with_flag(error: BaseException) -> "RefusedError | None":
    """A refusal because of the topic's type, with the flag that makes messages of that type."""
    from mq.core.errors import Code, RefusedError  # noqa: PLC0415

    if not isinstance(error, RefusedError) or error.code != Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE:
        return None
    takes = re.search(r"takes (\w+) messages", str(error))
    advice = _ADVICE_BY_TYPE.get(takes[1]) if takes else None
    return RefusedError(error.code, f"{error}; {advice}") if advice else None


def _print(session: Session, topic: str, report: Report, seconds: float) -> None:
    if session.is_json:
        summary = {"topic": topic, "acknowledged": report.acknowledged, "sent": report.sent, "duplicates": report.duplicates}
        times = {"seconds": round(seconds, 3), "longest_pause_seconds": round(report.pause_s, 3)}
        print_json({**summary, **times, "messages": report.listed})
    elif report.acknowledged < _BATCH_FROM:
        print_table(("message id", "offset in its queue"), [(m["message_id"], m["offset"]) for m in report.listed])
    else:
        rate = round(report.acknowledged / seconds) if seconds else 0
        print_table(
            ("topic", "acknowledged", "already stored", "seconds", "longest pause", "per second"),
            [(topic, report.acknowledged, report.duplicates, round(seconds, 3), round(report.pause_s, 3), rate)],
        )
        if report.duplicates:
            note(f"{report.duplicates} of them were sent again, as their first answer was lost; they are stored once, too")


def _send_one_by_one(session: Session, order: _Order, report: Report) -> None:
    from mq.rpc.message_client import MessageClient  # noqa: PLC0415

    lines = islice(chain.from_iterable(line_chunks()), order.count) if order.is_input else order.bodies()
    with session.connect() as connection:
        client = MessageClient(connection)
        for body in lines:
            delivery_ms = None if order.delay_ms is None else time.time_ns() // 1_000_000 + order.delay_ms
            report.ask()
            sent = client.send(
                order.topic, body, tag=order.tag, keys=order.keys, properties=order.properties, message_group=order.group_key,
                delivery_ms=delivery_ms,
            )  # fmt: skip
            report.add([sent.message_id], sent.offset)


async def _send_batches(session: Session, order: _Order, report: Report) -> None:
    import asyncio  # noqa: PLC0415

    from mq.client.batch import Columns  # noqa: PLC0415
    from mq.client.encoding import MessageEncoder  # noqa: PLC0415
    from mq.rpc.batch_client import BatchProducer  # noqa: PLC0415
    from mq.rpc.message_client import new_message_ids  # noqa: PLC0415

    ids_source, encoder = new_message_ids(), MessageEncoder(tag=order.tag, properties=order.properties)
    failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    async with BatchProducer(session.endpoint, timeout_s=session.timeout_s) as producer:
        async for bodies in _groups_of(order, failure):
            ids = ids_source.take(len(bodies))
            shared = encoder.encode_shared(born_ms=time.time_ns() // 1_000_000, keys=order.keys)
            report.ask()
            sending = asyncio.ensure_future(producer.send(order.topic, Columns(shared, ids, bodies)))
            await asyncio.wait((sending, failure), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result().add_done_callback(_counter(report, ids, failure))
            if failure.done():
                sending.cancel()
                break
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ANSWERS_S if failure.done() else None):
                await producer.flush()
        await asyncio.sleep(0)  # callbacks run in the loop's next turn
        if failure.done():
            raise failure.result()


def _counter(
    report: Report, ids: list[str], failure: "asyncio.Future[BaseException]"
) -> "Callable[[asyncio.Future[BatchResult]], None]":
    def count(future: "asyncio.Future[BatchResult]") -> None:
        error = future.exception()
        if error is None:
            report.add(ids, future.result().base_offset, future.result().duplicates)
        elif not failure.done():
            failure.set_result(error)

    return count


async def _groups_of(order: _Order, failure: "asyncio.Future[BaseException]") -> AsyncIterator[list[bytes]]:
    """All bodies, in groups that make a batch; those of standard input as they come, until something fails."""
    if order.is_input:
        async for lines in until(failure, arriving_lines(order.count)):
            for group in _groups(lines):
                yield group
    else:
        for group in _groups(order.bodies()):
            yield group


def _groups(bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for body in bodies:
        group.append(body)
        size += len(body)
        if len(group) == _BATCH_MESSAGES or size >= _BATCH_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
