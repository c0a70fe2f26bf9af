"""Ring 1: one small test per rule. Here: putting, finding by offset and by time, all of it in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from labs.grader.seams import Call, Make, at_once, drive_on, made_by
from labs.grader.sentences import Sentences
from labs.grader.suite import Run
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.bench import BYTES_MAX, SIZES, in_folder, plan_told
from labs.stage1_single_node.lab1b_consume_queue.looking import look_for_times
from labs.stage1_single_node.lab1b_consume_queue.model import Model
from labs.stage1_single_node.lab1b_consume_queue.rules import SOURCES, broken, span
from labs.stage1_single_node.lab1b_consume_queue.shelf import Shelf
from mq.broker.store.queue_entry import NO_POSITION, QueueEntry, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ports import Plan
from mq.sim.disk import SimDisk

__all__ = ["FAR", "IN_A_BROKER", "SENTENCES", "Hand", "sentence"]

_TODAY_MS = 1_790_000_000_123
"""A wall time as a broker has it, in the autumn of 2026."""
FAR = (5 << 40) + 77
"""Bytes into a log, or entries of one: behind what 32 bits can hold."""
IN_A_BROKER = {"entries_per_file": 65_536, "tail_min": 1024}
"""What a queue is made with there."""


class Hand:
    """A queue, its disk, and verbs that ask it for one thing at a time. Plans are carried out at once.

    queue_id: 0, but for one that is made beside it: what is told of that begins with its number.
    """

    def __init__(self, make: Make, run: Run, queue_id: int = 0) -> None:
        self.make, self.run, self.queue_id = make, run, queue_id
        self.sizes, self.bytes_max = dict(SIZES), BYTES_MAX
        self.begin()

    def begin(self, **sizes: int) -> None:
        """With an empty queue and an empty disk. sizes: if it is to have others."""
        self.sizes |= sizes
        self.queue, self.disk = self.make("orders", self.queue_id, **self.sizes), SimDisk()
        self.model = Model()
        self.shelf = self.run.figure = Shelf(self.model)

    def begin_as_in_a_broker(self) -> None:
        """The queue and its files are of the size that they have in a broker, and 2,400 batches are in one file."""
        self.bytes_max = 64 * BYTES_MAX  # a file may have its whole size with its first entry, and an entry may be large
        self.begin(**IN_A_BROKER)
        self.tell(f"a file holds {IN_A_BROKER['entries_per_file']:,} entries, and {IN_A_BROKER['tail_min']:,} stay in memory")
        for number in range(4):
            self.put(*[1] * 600, store_ms=1000 + 6000 * number)
            self.flush()

    def tell(self, line: str) -> None:
        self.run.tell(f"queue {self.queue_id}: {line}" if self.queue_id else line)

    # --- commands

    def entry(self, count: int, store_ms: int, *, first: int = 0, position: int = -1) -> QueueEntry:
        """The next one. Positions, indexes and sizes are such that no two are alike."""
        number = len(self.model.history)
        at = 100 + 64 * number if position < 0 else position
        return QueueEntry(self.model.max_offset, at, 1 + 2 * number, store_ms, 50 + number, count, first, 7 * number)

    def put(self, *counts: int, store_ms: int = 1000, gap_ms: int = 10, first: int = 0, position: int = -1) -> None:
        begins, last_ms, calls = self.model.max_offset, self.model.last_ms, []
        for number, count in enumerate(counts):
            entry = self.entry(count, store_ms + number * gap_ms, first=first, position=position)
            self.model.put(entry)
            calls.append(Call("append", (entry,)))
        many = len(counts)
        batches = "one batch" if many == 1 else f"{many} batches"
        spread = f", each {gap_ms} ms later than the one before" if many > 1 and gap_ms else ""
        back = ": the clock went back" if begins and store_ms < last_ms else ""
        self.tell(f"put {span(begins, sum(counts))} in {batches}, stored at {store_ms} ms{spread}{back}")
        at_once(self.queue, calls)

    def put_large(self, count: int, **fields: int) -> None:
        """One batch with fields as large as those of a broker that has run for long. fields: that are to be others."""
        number = len(self.model.history)
        entry = QueueEntry(
            self.model.max_offset, FAR + 70_000 * number, FAR // 3 + 2 * number, _TODAY_MS + number, 70_000 + number, count,
            0, 0xFEDCBA98 - number,
        )._replace(**fields)  # fmt: skip
        self.model.put(entry)
        told = ", ".join(f"{name} {value:,}" for name, value in entry._asdict().items() if name not in ("base_offset", "count"))
        self.tell(f"put {span(entry.base_offset, count)} in one batch: {told}")
        self.queue.append(entry)

    def flush(self, *, sync: bool = False) -> Plan:
        self.tell(f"flush{' and sync' if sync else ''}")
        plan = self.plan(sync=sync)
        self.run.story[-1] += f"; the plan is carried out, and told: {plan_told(plan)}"
        self.perform(plan)
        self.flushed(is_synced=sync)
        return plan

    def plan(self, *, sync: bool = False) -> Plan:
        plan: Plan = self.queue.flush(sync=sync)
        return self.kept(plan)

    def kept(self, plan: Plan) -> Plan:
        """It must keep to this queue's folder."""
        return in_folder(plan, folder=queue_folder("orders", self.queue_id), bytes_max=self.bytes_max)

    def flushed(self, *, is_synced: bool = False) -> None:
        self.queue.flushed(self.queue.entry_count, is_synced=is_synced)
        self.shelf.written = self.model.max_offset
        self.shelf.synced = self.model.max_offset if is_synced else self.shelf.synced

    def perform(self, plan: Plan) -> None:
        for operation in self.kept(plan):
            self.disk.perform(operation)

    def files(self) -> Mapping[str, int]:
        """What was flushed lies in some, with their sizes."""
        if not (files := self.disk.files()):
            raise broken(6, expected="what was put and flushed is in files", found="there is no file")
        return files

    def drop_before(self, offset: int) -> Plan:
        self.tell(f"retention: what is before message {offset} goes")
        self.model.drop_before(offset)
        plan: Plan = self.queue.drop_before(offset)
        return plan

    def reopened(self, plain: Any = None) -> None:
        """What is made of a snapshot takes the queue's place; by itself of one of now, behind a flush with sync."""
        if plain is None:
            self.flush(sync=True)
            plain = self.queue.to_plain()
        self.tell("a snapshot; the process ends, and the queue is made of the snapshot")
        self.queue = made_by(self.make, "from_plain", "orders", 0, plain, **self.sizes)

    # --- what is found

    def entries(self, offset: int, most: int, number: int = 2) -> Sequence[QueueEntry]:
        try:
            return self.tried(offset, most, number)
        except DamageError as error:
            self.shelf.mark(max(offset, self.model.min_offset), "refused")
            expected = f"`entries({offset}, {most})` finds what was put: nothing on the disk is damaged"
            raise broken(5 if number == 2 else number, expected=expected, found=f"DamageError: {error}") from None

    def tried(self, offset: int, most: int, number: int = 2) -> Sequence[QueueEntry]:
        """The same, where it may be refused."""
        found: Sequence[QueueEntry] = drive_on(self.queue, "entries", self.disk, offset, most)
        judge.entries(number, self.model, (offset, most), found, self.shelf)
        return found

    def offset_at(self, store_ms: int, number: int = 4) -> None:
        try:
            found = drive_on(self.queue, "offset_at", self.disk, store_ms)
        except DamageError as error:
            expected = f"`offset_at({store_ms})` finds a message: nothing on the disk is damaged"
            raise broken(number, expected=expected, found=f"DamageError: {error}") from None
        look_for_times(self.model, store_ms, found, self.shelf, self.queue, self.disk)
        judge.time(number, self.model, store_ms, found, self.shelf)

    def all_is_found(self, number: int = 2) -> None:
        """Each message by its offset, and from each time on."""
        model = self.model
        for offset in range(model.max_offset + 1):
            self.entries(offset, 2, number)
        for store_ms in sorted({fact.store_ms + late for fact in model.facts for late in (0, 1)}):
            self.offset_at(store_ms, number if number in (9, 10, 11, 12) else 4)

    def ends(self, number: int) -> None:
        judge.borders(number, self.model, self.queue.min_offset, self.queue.max_offset)

    def holds(self, number: int, what: str, found: str, *, is_so: bool) -> None:
        if not is_so:
            raise broken(number, expected=what, found=found)

    def same(self, number: int, what: str, expected: Any, found: Any) -> None:
        if expected != found:
            raise broken(number, expected=f"{what} is {str(expected)[:200]}", found=f"it is {str(found)[:200]}")


sentence = Sentences(Hand, sources=SOURCES, points=1)
SENTENCES = sentence.checks
"""In the order in which the methods are written."""


# ---------------------------------------------------------------- putting


@sentence("1.1", 1)
def an_entry_moves_the_end_by_its_messages(hand: Hand) -> None:
    hand.put(2, 3)
    hand.ends(1)
    counts = hand.queue.entry_count, hand.queue.flushed_count
    found = f"`entry_count` is {counts[0]}, `flushed_count` is {counts[1]}"
    hand.holds(1, "entries are counted, and none is in a file", found, is_so=counts[0] > counts[1] == 0)


@sentence("1.2", 1)
def an_entry_that_does_not_begin_at_the_end_is_refused_and_changes_nothing(hand: Hand) -> None:
    hand.put(2)
    for base, count in ((0, 1), (1, 1), (3, 1), (2, 0)):
        entry = hand.entry(count, 2000)._replace(base_offset=base)
        hand.tell(f"put an entry of {count} messages at offset {base}")
        try:
            hand.queue.append(entry)
        except StateError:
            hand.ends(1)
        else:
            raise broken(1, expected="a StateError: the queue ends at 2", found="`append` took it")
    hand.put(1, store_ms=1500)
    hand.ends(1)


# ---------------------------------------------------------------- by offset


@sentence("1.3", 3)
def a_new_queue_is_empty_and_begins_and_ends_at_0(hand: Hand) -> None:
    hand.ends(3)
    hand.entries(0, 10)


@sentence("1.4", 2)
def any_offset_of_a_batch_leads_to_its_record_and_to_the_number_in_there(hand: Hand) -> None:
    hand.put(5, 3, 1)
    for offset in range(9):
        hand.entries(offset, 1)


@sentence("1.5", 2)
def a_batch_may_be_there_in_part_or_have_no_position(hand: Hand) -> None:
    hand.tell("of the next batch, messages 0 and 1 were known already")
    hand.put(3, first=2)
    hand.tell("the next one waited in the log, and only its log index is known")
    hand.put(1, position=NO_POSITION)
    hand.put(2)
    for offset in range(6):
        hand.entries(offset, 2)


@sentence("1.6", 2)
def every_field_comes_back_as_it_was_put_however_large(hand: Hand) -> None:
    for code in (0, 7, 0xFFFFFFFF):
        hand.put_large(1, tag_code=code)
    for offset in range(3):
        hand.entries(offset, 1)
    hand.put_large(0xFFFF)
    hand.put_large(300, first=0xFFFF - 300)
    hand.put_large(2, store_ms=_TODAY_MS + (1 << 40), position=(1 << 53) - 1, log_index=(1 << 53) - 1, size_bytes=0xFFFFFFFF)
    hand.put_large(1)
    for offset in (3, 0xFFFF + 2, 0xFFFF + 3, 0xFFFF + 302, 0xFFFF + 303, 0xFFFF + 305):
        hand.entries(offset, 1)


@sentence("1.7", 3)
def a_read_goes_on_in_order_takes_at_most_as_many_and_ends_at_the_end(hand: Hand) -> None:
    hand.put(2, 1, 4, 1)
    for offset in (0, 1, 2, 4, 7):
        for most in (1, 2, 3, 50):
            hand.entries(offset, most)
    at, seen = 0, 0
    while at < hand.model.max_offset:
        found = hand.entries(at, 50)
        at, seen = found[-1].base_offset + found[-1].count, seen + len(found)
    for offset in (8, 9, 100):
        hand.entries(offset, 5)


# ---------------------------------------------------------------- by time


@sentence("1.8", 4)
def behind_the_last_time_and_in_an_empty_queue_it_is_the_end(hand: Hand) -> None:
    hand.offset_at(0)
    hand.put(2, 3, gap_ms=100)
    hand.offset_at(1101)
    hand.offset_at(5000)


@sentence("1.9", 4)
def the_first_message_at_or_after_a_time_is_found(hand: Hand) -> None:
    hand.put(2, 3, 1, 2, gap_ms=100)
    for store_ms in (0, 999, 1000, 1001, 1100, 1101, 1250, 1300):
        hand.offset_at(store_ms)


@sentence("1.10", 4)
def of_several_batches_in_one_millisecond_the_first_is_found(hand: Hand) -> None:
    hand.put(1, 1, store_ms=1000)
    hand.put(2, 1, 1, 3, 1, store_ms=1500, gap_ms=0)
    hand.put(1, store_ms=1600)
    for store_ms in (1499, 1500, 1501):
        hand.offset_at(store_ms)


@sentence("1.11", 4)
def a_clock_that_goes_back_does_not_take_the_store_times_along(hand: Hand) -> None:
    hand.put(1, 1, 1, 1, store_ms=1000, gap_ms=100)
    hand.put(2, 1, 1, store_ms=500, gap_ms=100)
    hand.put(1, store_ms=2000)
    for store_ms in (400, 500, 600, 1000, 1200, 1300, 1301, 2000, 2001):
        hand.offset_at(store_ms)
    hand.entries(4, 3)
