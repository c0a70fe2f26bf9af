"""Right ones of a make that nobody thought of: what no rule of a README forbids costs no points. In this process."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from labs.grader.explaining import explain
from labs.grader.lab import find_lab
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Check, Run
from labs.stage1_single_node.lab1b_consume_queue.sentences_more import reads_of
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ENTRY_BYTES, ConsumeQueue
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.queue_entry import QueueEntry
from mq.broker.store.segment import Segment
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex
from mq.core.ports import Create, Operation, Plan, Read, Steps, Sync, Write
from mq.sim.disk import SimDisk

SEEDS = Seeds(b"zoo", "zoo")


def complaints(lab: str, make: Make) -> Iterator[str]:
    """Of all tests but those that a student writes: what fails, and what proves nothing."""
    for check in find_lab(lab).suite.checks:
        if check.ring != 4:
            yield from _complaint(check, make)


def _complaint(check: Check, make: Make) -> Iterator[str]:
    met: Counter[str] = Counter()
    for case in check.cases(SEEDS):
        run = Run()
        try:
            case.play(make, case.steps, run)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
            yield f"{check.number}, case {case.key!r}: {explain(error, run).sentence}"
            return
        met += run.met
    yield from (f"{check.number}: {name} {met[name]} of {count}" for name, count in check.must_meet.items() if met[name] < count)


# ---------------------------------------------------------------- lab 1a


class FillsWithZeros(CommitLog):
    """A new segment's file is filled with zeros by a write before its header stands there."""

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        begun = len(plan)
        segment = super()._roll(group_bytes, plan, reset_to)
        made = next(number for number in range(begun, len(plan)) if isinstance(plan[number], Create))
        plan.insert(made + 1, Write(segment.file, 0, bytes(segment.size_bytes)))
        return segment


class HeaderWithZeros(CommitLog):
    """A new segment's header and all that is still zero behind it are one write."""

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        segment = super()._roll(group_bytes, plan, reset_to)
        for number, one in enumerate(plan):
            if isinstance(one, Write) and (one.file, one.at) == (segment.file, 0):
                plan[number] = replace(one, data=one.data.ljust(segment.size_bytes, b"\0"))
        return segment


class HeaderInParts(CommitLog):
    """A new segment's header is written in three parts, behind which stands one sync."""

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        segment = super()._roll(group_bytes, plan, reset_to)
        number = next(n for n, one in enumerate(plan) if isinstance(one, Write) and (one.file, one.at) == (segment.file, 0))
        header = plan[number]
        assert isinstance(header, Write)
        plan[number : number + 1] = [Write(segment.file, at, header.data[at : at + 24]) for at in range(0, len(header.data), 24)]
        return segment


class Remembers(CommitLog):
    """What was synced since it was opened is kept in memory, and read from there. Its marks are synced."""

    def __init__(self, *, segment_bytes: int) -> None:
        super().__init__(segment_bytes=segment_bytes)
        self.known: dict[int, StoredEntry] = {}
        self.on_their_way: dict[int, list[StoredEntry]] = {}

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        done = super().append(after_index, entries, hard_state)
        if entries:
            self.known = {index: stored for index, stored in self.known.items() if index <= after_index}
        pairs = zip(entries, done.places, strict=True)
        self.on_their_way[done.sequence] = [StoredEntry(entry, place) for entry, place in pairs]
        return done

    def synced(self, sequence: int) -> None:
        super().synced(sequence)
        for number in sorted(number for number in self.on_their_way if number <= sequence):
            for stored in self.on_their_way.pop(number):
                self.known = {index: old for index, old in self.known.items() if index < stored.entry.index}
                self.known[stored.entry.index] = stored

    def abandon(self, sequence: int) -> None:
        super().abandon(sequence)
        self.on_their_way.pop(sequence, None)

    def note_durable(self) -> Plan:
        plan = super().note_durable()
        return (*plan, *(Sync(one.file) for one in plan))

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        wanted = range(first, last + 1)
        if self.first_index <= first and last <= self.durable_index and all(index in self.known for index in wanted):
            size, found = 0, []
            for index in wanted:
                found.append(self.known[index])
                size += len(self.known[index].entry.payload)
                if size >= bytes_max:
                    break
            return tuple(found)
        return (yield from super().entries(first, last, bytes_max))


@pytest.mark.parametrize("make", [FillsWithZeros, HeaderWithZeros, HeaderInParts, Remembers])
def test_a_right_log_of_an_unusual_make_lives(make: Make) -> None:
    assert list(complaints("lab1a", make)) == []


# ---------------------------------------------------------------- lab 1b


class FillsFiles(ConsumeQueue):
    """Each file is as large as it will ever be from its first entry on: zeros are written behind that."""

    def size_bytes(self) -> int:
        return self._entries_per_file * ENTRY_BYTES

    def flush(self, *, sync: bool = False) -> Plan:
        return tuple(
            replace(one, data=one.data.ljust(self.size_bytes(), b"\0")) if isinstance(one, Write) and one.at == 0 else one
            for one in super().flush(sync=sync)
        )


class FillsPages(FillsFiles):
    """Files are of whole pages, however little is in them."""

    def size_bytes(self) -> int:
        return -(-super().size_bytes() // 4096) * 4096


class SyncsAtOnce(ConsumeQueue):
    """Whatever it writes it syncs at once, also when nobody asks for it: a loss of power has little to choose from."""

    def flush(self, *, sync: bool = False) -> Plan:
        plan: list[Operation] = []
        for one in super().flush(sync=sync):
            plan += (one, Sync(one.file)) if isinstance(one, Write) else (one,)
        return tuple(plan)


@pytest.mark.parametrize("make", [FillsFiles, FillsPages, SyncsAtOnce])
def test_a_right_queue_of_an_unusual_make_lives(make: Make) -> None:
    assert list(complaints("lab1b", make)) == []


def test_of_what_a_reader_has_room_for_only_what_there_is_counts_as_read() -> None:
    disk = SimDisk()
    disk.perform(Write("a", 0, b"bread"))

    def reader() -> Steps[None]:
        yield Read("a", 0, 1 << 20)
        yield Read("nowhere", 0, 1 << 20)

    assert [read.size_bytes for read in reads_of(reader(), disk)] == [5, 0]


class PretendsToRead(ConsumeQueue):
    """A wrong one: all stays in memory, and what it asks of the disk it does not look at."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        super().__init__(topic, queue_id, entries_per_file=entries_per_file, tail_min=tail_min)
        self.all: dict[int, QueueEntry] = {}

    def append(self, entry: QueueEntry) -> None:
        super().append(entry)
        self.all[self.entry_count - 1] = entry

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        if first in self.all and first < self._tail_first:
            yield Read(self._place(first)[0], 0, 1)
            return (self.all[first],)
        return (yield from super()._run(first, upto))

    def _look(self, number: int) -> Steps[QueueEntry | None]:
        if number in self.all and number < self._tail_first:
            yield Read(self._place(number)[0], 0, 1)
            return self.all[number]
        return (yield from super()._look(number))


def test_one_that_asks_the_disk_and_does_not_look_at_the_answer_keeps_all_in_memory() -> None:
    (found,) = [said for said in complaints("lab1b", PretendsToRead) if said.startswith("1.20,")]
    assert "message 0 has left the memory" in found
