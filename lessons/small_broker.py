"""A whole broker in a notebook: log, consume queues, delivery, on a simulated disk and a clock that moves when it is told to.

It is the node of `mq.sim`, with the calls of a client that wait for their answers.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mq.broker import commands as c
from mq.broker.batch import AppendMessages, delivery_slice
from mq.broker.delivery.flight import Delivered
from mq.broker.delivery.picker import Look
from mq.core.message import MessageKind, Permission
from mq.core.ports import Disk, Operation, Read, drive
from mq.sim.clock import SimClock
from mq.sim.crash import Survival, after_power_loss
from mq.sim.disk import SimDisk
from mq.sim.node import NodeOptions, Parts, SimNode

__all__ = ["CountingDisk", "Got", "SmallBroker"]

_NEVER = 1 << 40


class Got(NamedTuple):
    """A message as its consumer got it. delivery: what stands for it in an acknowledgement."""

    queue_id: int
    offset: int
    message_id: str
    body: str
    attempt: int
    delivery: Delivered

    def __repr__(self) -> str:
        return f"<{self.body!r}, attempt {self.attempt}>"


class CountingDisk:
    """A disk that counts what is read from it."""

    def __init__(self, disk: Disk) -> None:
        self._disk, self.reads, self.read_bytes = disk, 0, 0

    def perform(self, operation: Operation) -> None:
        self._disk.perform(operation)

    def read(self, read: Read) -> bytes:
        data = self._disk.read(read)
        self.reads, self.read_bytes = self.reads + 1, self.read_bytes + len(data)
        return data

    def files(self) -> Any:
        return self._disk.files()


class SmallBroker:
    """One node. Every call returns when its command is on the (simulated) disk and applied."""

    def __init__(self) -> None:
        self.clock, self.disk = SimClock(), SimDisk()
        self._ids = 0
        self._boot()

    def _boot(self) -> None:
        options = NodeOptions(segment_bytes=1 << 22, snapshot_every=_NEVER)
        self.node = SimNode(self.disk, self.clock, lambda *_, **__: None, options=options, parts=Parts())
        self.node.open()

    def ask(self, command: c.Command) -> Any:
        """Put a command into the log, and wait for what comes of it."""
        answers: list[Any] = []
        self.node.propose(command, answers.append)
        while self.node.step():
            pass
        return answers[0]

    def power_loss(self) -> None:
        """All that was not synced is gone; the broker opens its log again."""
        self.disk = after_power_loss(self.disk, Survival())
        self._boot()

    def pass_time(self, span_ms: int) -> None:
        """Let the clock move."""
        self.clock.advance(span_ms)

    # --- what clients do

    def create_topic(self, name: str, queues: int = 1) -> None:
        self.ask(c.CreateTopic(*self.node.stamps(), name, MessageKind.NORMAL, queues, Permission.READ_WRITE))

    def create_group(self, name: str, max_attempts: int = 17) -> None:
        self.ask(c.CreateGroup(*self.node.stamps(), name, False, max_attempts))

    def send(self, topic: str, *bodies: str, queue_id: int = 0, tag: str = "", ids: Sequence[str] = ()) -> list[int]:
        """Store messages as one batch; returns their offsets. ids: made here, if none are given."""
        if not ids:
            ids = [f"m{self._ids + number}" for number in range(1, len(bodies) + 1)]
            self._ids += len(bodies)
        messages = tuple(body.encode() for body in bodies)
        batch = AppendMessages(*self.node.stamps(), topic, queue_id, MessageKind.NORMAL, 0, tuple(ids), tag, messages)
        return [offset for _, offset in self.ask(batch).places]

    def receive(self, topic: str, group: str, count: int = 1, invisible_ms: int = 10_000) -> list[Got]:
        """Up to `count` messages; they are hidden from the others of the group for `invisible_ms`."""
        node = self.node
        log_ms, wall_ms = node.stamps()
        choice = node.read(node.picker.choose(Look(node.machine.group(group), topic, count, None, log_ms)))
        if not choice.picks:
            return []
        node.picker.reserve(group, topic, choice.picks)
        command = c.ReceiveMessages(log_ms, wall_ms, group, topic, "notebook", "", False, log_ms + invisible_ms, choice.picks)
        received = self.ask(command)
        node.picker.release(group, topic, choice.picks)
        return [self._got(one, choice.entries[one.queue_id, one.offset]) for one in received.delivered]

    def _got(self, one: Delivered, entry: Any) -> Got:
        payload = self.node.read(self._reader().payload(entry))
        found = delivery_slice(payload, entry.number_of(one.offset))
        return Got(one.queue_id, one.offset, found.message_id, found.stored.decode(), one.attempt, one)

    def _reader(self) -> Any:
        from mq.broker.store.record_reader import RecordReader

        return RecordReader(self.node.log)

    def ack(self, topic: str, group: str, *got: Got) -> list[bool]:
        """The group is done with these; for each whether that still counts."""
        deliveries = tuple((one.queue_id, one.offset, one.delivery.stamp) for one in got)
        return list(self.ask(c.AckMessages(*self.node.stamps(), group, topic, deliveries)).done)

    # --- what is looked at

    def queue(self, topic: str, queue_id: int = 0) -> Any:
        """The consume queue of a topic's queue."""
        return self.node.machine.topics[topic].queues[queue_id]

    def counted(self, steps: Any) -> tuple[Any, CountingDisk]:
        """Drive something that reads, and count what it read."""
        disk = CountingDisk(self.disk)
        return drive(steps, disk), disk
