"""A broker core in memory: machine, picker and a pretended log, driven by verbs."""

from dataclasses import dataclass, field
from typing import TypeVar

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.flight import Delivered, Received
from mq.broker.delivery.picker import Choice, Look, Picker
from mq.broker.machine import BrokerMachine
from mq.broker.outcomes import Outcome, Sent
from mq.broker.store.commit_log import StoredEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.entry import Entry, EntryKind, RecordPlace
from mq.core.errors import RefusedError, StateError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Read, Steps

_T = TypeVar("_T")


@dataclass
class PretendedLog:
    """Payloads in a list, each a thousand bytes behind the one before. asked: what was read, by place or by index."""

    payloads: list[bytes] = field(default_factory=list)
    first_index: LogIndex = field(default_factory=lambda: LogIndex(1))
    asked: list[RecordPlace | int] = field(default_factory=list)
    durable_index: LogIndex = field(default_factory=lambda: LogIndex(0))

    def term_at(self, index: LogIndex) -> Term | None:
        return Term(0) if self.first_index <= index <= len(self.payloads) else None

    def place(self, index: int) -> RecordPlace:
        return RecordPlace(CommitLogPosition(index * 1000), len(self.payloads[index - 1]))

    def read(self, place: RecordPlace) -> Read:
        self.asked.append(place)
        return Read("log", place.position, place.size_bytes)

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        return self._entry(place.position // 1000)

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        assert first == last
        assert bytes_max > 0
        if first < self.first_index:
            raise StateError(f"entry {first} is not kept any more")
        self.asked.append(int(first))
        yield Read("log", first * 1000, 1)
        return (StoredEntry(self._entry(first), self.place(first)),)

    def _entry(self, index: int) -> Entry:
        return Entry(LogIndex(index), Term(0), EntryKind.COMMAND, self.payloads[index - 1])


@dataclass
class Core:
    """Verbs over one machine. Time only passes by `wait`."""

    machine: BrokerMachine = field(default_factory=BrokerMachine)
    now_ms: int = 1_000
    stored: PretendedLog = field(default_factory=PretendedLog)

    def __post_init__(self) -> None:
        self.picker = Picker(self.machine, RecordReader(self.stored))

    @property
    def log(self) -> list[bytes]:
        return self.stored.payloads

    def wait(self, ms: int) -> None:
        self.now_ms += ms

    def do(self, command: c.Command) -> Outcome:
        """Put a command through its stored form and apply it, as a replica would."""
        payload = c.encode_command(command)
        self.log.append(payload)
        index = len(self.log)
        return self.machine.apply(index, c.decode_command(payload), self.stored.place(index))

    def topic(self, name: str = "t", kind: int = 1, queues: int = 1) -> None:
        assert not isinstance(self.do(c.CreateTopic(self.now_ms, self.now_ms, name, kind, queues, 4)), RefusedError)

    def group(self, name: str = "g", *, is_fifo: bool = False, max_attempts: int = 17) -> None:
        self.do(c.CreateGroup(self.now_ms, self.now_ms, name, is_fifo, max_attempts))

    def send(
        self, *ids: str, topic: str = "t", queue_id: int = 0, tags: tuple[str, ...] | str = "", kind: int = 1, due_ms: int = 0
    ) -> Sent:
        bodies = tuple(b"body of " + i.encode() for i in ids)
        outcome = self.do(AppendMessages(self.now_ms, self.now_ms, topic, queue_id, kind, due_ms, ids, tags, bodies))
        assert isinstance(outcome, Sent), outcome
        return outcome

    def choose(
        self, count: int = 32, *, group: str = "g", topic: str = "t", tags: frozenset[str] | None = None, attempt_id: str = ""
    ) -> Choice:
        return run(self.picker.choose(Look(self.machine.group(group), topic, count, tags, self.now_ms, attempt_id)))

    def receive(
        self, count: int = 32, *, group: str = "g", topic: str = "t", invisible_ms: int = 10_000, client: str = "me",
        renews: bool = False, tags: frozenset[str] | None = None, attempt_id: str = "",
    ) -> tuple[Delivered, ...]:  # fmt: skip
        choice = self.choose(count, group=group, topic=topic, tags=tags, attempt_id=attempt_id)
        if not choice.picks:
            return ()
        outcome = self.hand_out(
            choice, group=group, topic=topic, invisible_ms=invisible_ms, client=client, renews=renews, attempt_id=attempt_id
        )
        assert isinstance(outcome, Received)
        return outcome.delivered

    def hand_out(
        self, choice: Choice, *, group: str = "g", topic: str = "t", invisible_ms: int = 10_000, client: str = "me",
        renews: bool = False, attempt_id: str = "",
    ) -> Outcome:  # fmt: skip
        return self.do(
            c.ReceiveMessages(
                self.now_ms, self.now_ms, group, topic, client, attempt_id, renews, self.now_ms + invisible_ms, choice.picks
            )
        )

    def ack(self, delivered: Delivered, *, group: str = "g", topic: str = "t") -> bool:
        outcome = self.do(
            c.AckMessages(self.now_ms, self.now_ms, group, topic, ((delivered.queue_id, delivered.offset, delivered.stamp),))
        )
        return outcome.done[0]  # type: ignore[union-attr]

    def change(
        self, delivered: Delivered, invisible_ms: int, *, group: str = "g", topic: str = "t", is_counted: bool = True
    ) -> Outcome:
        return self.do(
            c.ChangeInvisible(
                self.now_ms,
                self.now_ms,
                group,
                topic,
                delivered.queue_id,
                delivered.offset,
                delivered.stamp,
                self.now_ms + invisible_ms,
                is_counted,
            )
        )


def run(steps: Steps[_T]) -> _T:
    """Drive a reading core whose reads are answered by its reader alone."""
    try:
        next(steps)
        while True:
            steps.send(b"")
    except StopIteration as done:
        result: _T = done.value
        return result


def offsets(delivered: tuple[Delivered, ...]) -> list[int]:
    return [d.offset for d in delivered]
