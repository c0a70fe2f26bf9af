"""Replicas lay out their logs differently: what they know must not depend on where a record lies."""

import json
import random
from collections.abc import Callable

import pytest

from mq.broker import commands as c
from mq.broker.delivery.picker import dead_place
from mq.broker.machine import BrokerMachine
from mq.broker.store.consume_queue import ConsumeQueue, QueueEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.entry import RecordPlace
from mq.core.errors import FormatError, StateError
from mq.core.ids import CommitLogPosition, LogIndex, QueueOffset
from tests.unit.broker.helpers import Core, offsets, run

DAYS_MS = 86_400_000


def one_of_everything(core: Core, rng: random.Random, steps: int) -> None:
    """Plain, delayed and half messages, deaths of both kinds, retention."""
    for name, kind in (("t", 1), ("late", 3), ("half", 4)):
        core.topic(name, kind=kind)
    core.group(max_attempts=1)
    verbs = (send_plain, send_delayed, send_half, end_one, show_due, receive_and_bury, retain_half)
    for step in range(steps):
        core.wait(rng.randrange(500))
        rng.choice(verbs)(core, rng, str(step))
    core.send("for later", topic="late", kind=3, due_ms=core.now_ms + DAYS_MS)
    core.send("open", topic="half", kind=4)


def send_plain(core: Core, _rng: random.Random, name: str) -> None:
    core.send(name, f"{name}b")


def send_delayed(core: Core, rng: random.Random, name: str) -> None:
    core.send(name, topic="late", kind=3, due_ms=core.now_ms + 1 + rng.randrange(2000))


def send_half(core: Core, _rng: random.Random, name: str) -> None:
    core.send(name, topic="half", kind=4)


def end_one(core: Core, rng: random.Random, _name: str) -> None:
    open_ids = [message_id for _, message_id in core.machine.half]
    if open_ids:
        core.do(c.EndTransaction(core.now_ms, core.now_ms, "half", rng.choice(open_ids), rng.random() < 0.7))


def show_due(core: Core, _rng: random.Random, _name: str) -> None:
    core.do(c.ReleaseTimers(core.now_ms, core.now_ms))


def receive_and_bury(core: Core, rng: random.Random, _name: str) -> None:
    """Some are sent to the dead letters, others die when their time runs out, at the next receive."""
    for topic in ("t", "late", "half"):
        for taken in core.receive(2, topic=topic, invisible_ms=rng.randrange(1, 900)):
            (entry,) = found_in(core.machine.queue(topic, 0), taken.offset)
            if rng.random() < 0.5:
                place = dead_place(taken.offset, entry)
                core.do(c.DeadLetter(core.now_ms, core.now_ms, "g", topic, 0, taken.stamp, place))


def retain_half(core: Core, _rng: random.Random, _name: str) -> None:
    floor = core.machine.queue("t", 0).max_offset // 2
    core.do(c.DropBefore(core.now_ms, core.now_ms, len(core.log) // 2, (("t", 0, floor),)))


def found_in(queue: ConsumeQueue, offset: int) -> tuple[QueueEntry, ...]:
    """Of a queue that is all in memory."""
    try:
        next(queue.entries(QueueOffset(offset), 1))
    except StopIteration as done:
        entries: tuple[QueueEntry, ...] = done.value
        return entries
    raise AssertionError("the queue was read from files")


def replica(log: list[bytes], place_of: Callable[[int], int], *, since: BrokerMachine | None = None) -> BrokerMachine:
    """A machine that applied the log, with each record at a place of its own."""
    machine = since or BrokerMachine()
    for index in range(machine.applied_index + 1, len(log) + 1):
        payload = log[index - 1]
        machine.apply(index, c.decode_command(payload), RecordPlace(CommitLogPosition(place_of(index)), len(payload)))
    return machine


@pytest.mark.parametrize("seed", range(10))
def test_machines_with_their_records_in_different_places_reach_the_same_state(seed: int) -> None:
    core, rng = Core(), random.Random(seed)
    one_of_everything(core, rng, 150)
    expected = core.machine.to_bytes()
    assert core.machine.timers
    assert core.machine.half
    assert any(
        pick.dead
        for command in map(c.decode_command, core.log)
        if isinstance(command, c.ReceiveMessages)
        for pick in command.picks
    )
    assert any(isinstance(c.decode_command(payload), c.DeadLetter) for payload in core.log)
    assert core.machine.queue("%DLQ%g", 0).max_offset > 0
    assert core.machine.queue("t", 0).min_offset > 0
    scattered = [rng.randrange(1, 1 << 40) for _ in core.log]
    for place_of in (lambda index: 64 + index * 7, lambda index: scattered[index - 1], lambda index: 10**12 - index):
        assert replica(core.log, place_of).to_bytes() == expected
    half_way = replica(core.log[: len(core.log) // 2], lambda index: 5 + index)
    moved = BrokerMachine.from_bytes(half_way.to_bytes())
    assert replica(core.log, lambda index: 9_000_000 + index, since=moved).to_bytes() == expected


def test_a_place_is_in_no_command_and_in_no_state() -> None:
    core = Core()
    core.stored.place = lambda index: RecordPlace(CommitLogPosition(987_654_000 + index), 30)  # type: ignore[method-assign]
    one_of_everything(core, random.Random(1), 150)
    assert b"98765400" not in core.machine.to_bytes()
    assert not any(b"98765400" in payload for payload in core.log)
    entries = found_in(core.machine.queue("t", 0), core.machine.queue("t", 0).min_offset)
    assert [entry.position for entry in entries] == [987_654_000 + entry.log_index for entry in entries]


def test_what_was_hidden_or_dead_is_found_by_its_log_index() -> None:
    core = Core()
    core.topic("late", kind=3)
    core.topic("half", kind=4)
    core.group(max_attempts=1)
    core.send("l", topic="late", kind=3, due_ms=core.now_ms + 10, tags=("red",))
    late = len(core.log)
    core.send("h", topic="half", kind=4, tags=("red",))
    half = len(core.log)
    core.wait(10)
    core.do(c.ReleaseTimers(core.now_ms, core.now_ms))
    core.do(c.EndTransaction(core.now_ms, core.now_ms, "half", "h", is_commit=True))
    for topic, index in (("late", late), ("half", half)):
        (entry,) = found_in(core.machine.queue(topic, 0), 0)
        assert (entry.place, entry.log_index) == (None, index)
        core.stored.asked.clear()
        assert offsets(core.receive(topic=topic, tags=frozenset({"red"}))) == [0]  # the tag is compared as it is stored
        assert core.stored.asked == [index]
    core.wait(10_000)
    core.receive(topic="late")
    (dead,) = found_in(core.machine.queue("%DLQ%g", 0), 0)
    assert (dead.place, dead.log_index) == (None, late)


def test_a_message_that_retention_took_is_passed_over_wherever_it_lay() -> None:
    core = Core()
    core.topic("late", kind=3)
    core.group(max_attempts=3)
    core.send("old", topic="late", kind=3, due_ms=core.now_ms + 10)
    old = len(core.log)
    core.send("new", topic="late", kind=3, due_ms=core.now_ms + 10)
    core.wait(10)
    core.do(c.ReleaseTimers(core.now_ms, core.now_ms))
    core.stored.first_index = LogIndex(old + 1)
    (entry,) = found_in(core.machine.queue("late", 0), 0)
    reader = RecordReader(core.stored)
    assert reader.is_gone(entry)
    assert offsets(core.receive(topic="late")) == [1]
    core.wait(10_000)
    core.stored.first_index = LogIndex(old + 2)
    assert core.receive(topic="late") == ()
    with pytest.raises(StateError, match="not kept"):
        run(reader.payload(entry))


def test_a_state_of_an_older_or_newer_program_is_refused() -> None:
    plain = json.loads(BrokerMachine().to_bytes())
    assert plain["version"] == 5
    for version in (1, 2, 3, 4, 6):
        with pytest.raises(FormatError, match=f"state version {version} is not known to this program"):
            BrokerMachine.from_bytes(json.dumps({**plain, "version": version}).encode())


def test_a_command_that_still_names_a_place_is_refused() -> None:
    place = c.DeadPlace(0, 90, 3, 0, 7)
    stored = c.encode_command(c.DeadLetter(1, 1, "g", "t", 0, 5, place))
    assert c.decode_command(stored) == c.DeadLetter(1, 1, "g", "t", 0, 5, place)
    before = stored.replace(b"[0,90,3,0,7]", b"[0,4096,90,3,0,7]")
    assert before != stored
    with pytest.raises(FormatError, match="another shape"):
        c.decode_command(before)


def test_the_lowest_hidden_entry_is_told_by_its_log_index() -> None:
    core = Core()
    core.topic("half", kind=4)
    core.topic("late", kind=3)
    assert core.machine.oldest_hidden() is None
    core.send("h", topic="half", kind=4)
    core.send("l", topic="late", kind=3, due_ms=core.now_ms + DAYS_MS)
    assert core.machine.oldest_hidden() == len(core.log) - 1
    core.do(c.EndTransaction(core.now_ms, core.now_ms, "half", "h", is_commit=False))
    assert core.machine.oldest_hidden() == 4


def test_a_record_at_a_known_place_is_read_there() -> None:
    core = Core()
    core.topic()
    core.group()
    core.send("a", tags=("red",))
    core.stored.asked.clear()
    assert offsets(core.receive(tags=frozenset({"red"}))) == [0]
    (asked,) = core.stored.asked
    assert asked == core.stored.place(3)
