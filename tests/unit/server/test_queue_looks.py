"""Guards around a replaced consume queue: what it may not return, and what it must not lose. And that a right one is let be."""

import gc
from collections.abc import Generator
from typing import Any

import pytest

from mq.broker import commands as c
from mq.broker.machine import BrokerMachine
from mq.broker.store.consume_queue import ConsumeQueue
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Read, Remove, Sync, Write, drive, perform
from mq.parts import Parts
from mq.server import queue_looks
from mq.server.organs import OrganError, Organs
from tests.unit.store.helpers import MemoryDisk

FOLDER = "queues/t/0/"


def entry(base_offset: int, count: int = 2) -> QueueEntry:
    return QueueEntry(base_offset, 100 + 10 * base_offset, 1 + base_offset, 1000, 50, count, 0, 7)


def filled(queue: ConsumeQueue) -> ConsumeQueue:
    for number in range(3):
        queue.append(entry(2 * number))
    return queue


def of(cls: type[ConsumeQueue]) -> tuple[Organs, ConsumeQueue]:
    organs = Organs(Parts(consume_queue=cls))
    return organs, organs.consume_queue("t", 0)


def called(queue: ConsumeQueue, name: str) -> Any:
    arguments: dict[str, tuple[Any, ...]] = {
        "drop_before": (QueueOffset(2),), "delete": ({},), "missing": ({},), "entries": (QueueOffset(1), 2), "offset_at": (1000,),
    }  # fmt: skip
    found = getattr(queue, name)(*arguments.get(name, ()))
    return drive(found, MemoryDisk()) if isinstance(found, Generator) else found


@pytest.mark.parametrize(
    ("name", "found", "complaint"),
    [
        ("flush", [Sync(FOLDER + "a")], r"`flush` returned the plan \[Sync.*expected a tuple of"),
        ("flush", (Write("log/0.log", 0, b"x"),), r"a plan with log/0.log, which is not in the queue's folder queues/t/0/"),
        ("flush", (Write(FOLDER + "../1/a", 0, b"x"),), r"which is not in the queue's folder"),
        ("flush", (), r"`flush` returned a plan that writes nothing, and 3 entries are in no file"),
        ("drop_before", (Remove("queues/t/1/a"),), r"`drop_before` returned a plan with queues/t/1/a, which is not in"),
        ("drop_before", (), r"was told that the messages before 2 are gone, and the queue begins at 0"),
        ("delete", None, r"`delete` returned the plan None"),
        ("missing", True, r"`missing` returned True \(bool\), expected the name of a file, or None"),
        ("to_plain", {1: 2}, r"`to_plain` returned 1 \(int\), expected plain lists, with text alone for keys"),
        ("entries", (), r"`entries` returned \(\) \(tuple\), expected a generator of Read"),
        ("offset_at", 0, r"`offset_at` returned 0 \(int\), expected a generator of Read"),
    ],
)
def test_what_a_queue_must_not_return(name: str, found: Any, complaint: str) -> None:
    organs, queue = of(type("Wrong", (ConsumeQueue,), {name: lambda _self, *_arguments, **_named: found}))
    filled(queue)
    with pytest.raises(OrganError, match=f"consume_queue: {complaint}" if complaint.startswith("`") else complaint):
        called(queue, name)
    organs.stop()


@pytest.mark.parametrize(
    ("name", "found", "complaint"),
    [
        ("entries", [entry(0)], r"`entries` returned \[QueueEntry.*expected a tuple of QueueEntry"),
        ("entries", ((0, 1),), r"`entries` returned .*expected a tuple of QueueEntry"),
        ("entries", (), r"was asked for 2 entries from offset 1 on, and returned none: the queue ends at 6"),
        ("entries", (entry(2),), r"from offset 1 on, and returned 1, the first of offsets 2 to 3"),
        ("entries", (entry(0), entry(4)), r"returned one of 2 messages at 4 where 2 is next"),
        ("entries", (entry(0), entry(2), entry(4)), r"was asked for 2 entries .* and returned 3"),
        ("entries", (entry(0)._replace(position=1),), r"message 0 is number 0 of the record at position 1 \(log index 1"),
        ("entries", (entry(0)._replace(log_index=3),), r"and it is number 0 of that at 100 \(1, 50 bytes\)"),
        ("entries", (entry(1, 1)._replace(position=100, log_index=1, first=0),), r"message 1 is number 0 of the record"),
        ("offset_at", 7, r"`offset_at` returned 7 \(int\), expected an offset up to 6"),
        ("offset_at", "0", r"`offset_at` returned '0' \(str\)"),
    ],
)  # fmt: skip
def test_what_a_queue_must_not_find(name: str, found: Any, complaint: str) -> None:
    def steps(_self: Any, *_arguments: Any) -> Generator[Read, bytes, Any]:
        yield Read(FOLDER + "a", 0, 1)
        return found

    organs, queue = of(type("Wrong", (ConsumeQueue,), {name: steps}))
    filled(queue)
    with pytest.raises(OrganError, match=complaint):
        called(queue, name)
    organs.stop()


def test_one_entry_for_each_message_is_as_right_as_one_for_each_batch() -> None:
    parts = (entry(0, 1)._replace(base_offset=1, first=1), entry(2, 1))

    def steps(_self: Any, *_arguments: Any) -> Generator[Read, bytes, Any]:
        yield Read(FOLDER + "a", 0, 1)
        return parts

    organs, queue = of(type("ByMessage", (ConsumeQueue,), {"entries": steps}))
    filled(queue)
    assert called(queue, "entries") == parts
    organs.stop()


def test_a_queue_that_takes_no_messages_or_cannot_be_is_told() -> None:
    organs, queue = of(type("Deaf", (ConsumeQueue,), {"append": lambda _self, _entry: None}))
    with pytest.raises(OrganError, match="was given messages 0 to 1, and the queue ends before 0"):
        queue.append(entry(0))
    organs.stop()
    organs, queue = of(type("Odd", (ConsumeQueue,), {"flushed_count": property(lambda _self: 9)}))
    with pytest.raises(
        OrganError, match="leaves a queue that cannot be: min_offset 0, max_offset 2, entry_count 1, flushed_count 9"
    ):
        queue.append(entry(0))
    organs.stop()
    organs, queue = of(type("Words", (ConsumeQueue,), {"max_offset": property(lambda _self: "2")}))
    with pytest.raises(OrganError, match="`append` leaves a queue whose `max_offset` is '2', expected int"):
        queue.append(entry(0))
    organs.stop()


def test_a_flush_that_is_to_be_durable_and_is_not_synced_is_told() -> None:
    class Lazy(ConsumeQueue):
        def flush(self, *, sync: bool = False) -> Any:
            del sync
            return super().flush(sync=False)

    organs, queue = of(Lazy)
    filled(queue)
    assert queue.flush()
    with pytest.raises(OrganError, match=r"without a Sync of queues/t/0/0+\.cq behind the last Write to it"):
        queue.flush(sync=True)
    organs.stop()


def test_a_right_queue_is_let_be_and_one_that_does_not_take_an_entry_is_named() -> None:
    class Right(ConsumeQueue):
        """By another name."""

    organs, queue = of(Right)
    disk = MemoryDisk()
    for number in range(100):
        queue.append(entry(2 * number))
    with pytest.raises(OrganError, match=r"consume_queue: `append` raised StateError: .*cannot follow offset 200"):
        queue.append(entry(3))
    perform(disk, queue.flush(sync=True))
    queue.flushed(queue.entry_count, is_synced=True)
    again = organs.consume_queue.from_plain("t", 0, queue.to_plain())
    assert isinstance(again, organs.consume_queue)
    assert again.missing(disk.files()) is None
    assert [one.base_offset for one in drive(again.entries(QueueOffset(7), 2), disk)] == [6, 8]
    assert drive(again.offset_at(1001), disk) == 200
    assert again.drop_before(QueueOffset(9)) == ()
    assert organs.calls["consume_queue.append"] == 100
    assert organs.calls["consume_queue.entries"] == 1
    organs.stop()


def test_what_is_remembered_of_a_queue_goes_with_it() -> None:
    gc.collect()
    before = len(queue_looks._put)
    organs, queue = of(type("Own", (ConsumeQueue,), {}))
    filled(queue)
    assert len(queue_looks._put) == before + 1
    del queue
    gc.collect()
    assert len(queue_looks._put) == before
    organs.stop()


def test_a_machine_makes_its_queues_of_the_class_also_behind_a_snapshot() -> None:
    class Own(ConsumeQueue):
        """Somebody's own."""

    machine = BrokerMachine(queue_class=Own)
    machine.apply(1, c.CreateTopic(1, 1, "t", 1, 2, 3), None)  # type: ignore[arg-type]
    assert {type(queue) for queue in machine.topic("t").queues} == {Own}
    again = BrokerMachine.from_bytes(machine.to_bytes(), machine.table_class, Own)
    assert {type(queue) for queue in again.topic("t").queues} == {Own}
    again.topic("t").grow(3)
    assert type(again.queue("t", 2)) is Own
