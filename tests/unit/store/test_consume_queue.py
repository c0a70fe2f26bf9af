"""The consume queue: entries by offset and by time, in memory and in files."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mq.broker.store.consume_queue import ENTRY_BYTES, ConsumeQueue, QueueEntry, QueueState, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ids import QueueOffset
from mq.core.ports import Remove, Sync, Write, drive, perform
from tests.unit.store.helpers import MemoryDisk, drive_with

PER_FILE = 4
TAIL_MIN = 1024
"""So many entries at least stay in memory."""


@dataclass
class Queue:
    """A consume queue, its disk, and what a plain list says of it."""

    queue: ConsumeQueue = field(default_factory=lambda: ConsumeQueue("t", 0, entries_per_file=PER_FILE))
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    entries: list[QueueEntry] = field(default_factory=list)
    now_ms: int = 1000

    def append(self, count: int = 1, *, after_ms: int = 10) -> QueueEntry:
        self.now_ms += after_ms
        number = len(self.entries)
        entry = QueueEntry(self.queue.max_offset, number * 100, number + 1, self.now_ms, 90, count, 0, number * 7)
        self.queue.append(entry)
        self.queue.check()
        self.entries.append(entry)
        return entry

    def fill(self, entries: int) -> None:
        for number in range(entries):
            self.append(1 + number % 3)

    def flush(self, *, sync: bool = False) -> None:
        perform(self.disk, self.queue.flush(sync=sync))
        self.queue.flushed(self.queue.entry_count, is_synced=sync)
        self.queue.check()

    def drop_before(self, offset: int) -> None:
        perform(self.disk, self.queue.drop_before(QueueOffset(offset)))
        self.queue.check()

    def restored(self) -> "Queue":
        """Another life: from the state, with what is in files."""
        state = QueueState.from_plain(self.queue.state().to_plain())
        assert state == self.queue.state()
        queue = ConsumeQueue.restore("t", 0, state, entries_per_file=PER_FILE)
        queue.check()
        return Queue(queue, self.disk, list(self.entries), self.now_ms)

    def look(self, offset: int, entries_max: int = 10) -> tuple[QueueEntry, ...]:
        return drive(self.queue.entries(QueueOffset(offset), entries_max), self.disk)

    def offset_at(self, store_ms: int) -> int:
        return int(drive(self.queue.offset_at(store_ms), self.disk))

    def expected(self, offset: int, entries_max: int = 10) -> tuple[QueueEntry, ...]:
        offset = max(offset, self.queue.min_offset)
        return tuple(e for e in self.entries if e.base_offset + e.count > offset)[:entries_max]

    def expected_at(self, store_ms: int) -> int:
        later = [e.base_offset for e in self.entries if e.store_ms >= store_ms]
        return max(self.queue.min_offset, later[0] if later else self.queue.max_offset)

    def assert_as_listed(self) -> None:
        """Every offset and every time is found as in the plain list."""
        for offset in range(self.queue.max_offset + 2):
            assert self.look(offset, 3) == self.expected(offset, 3), offset
        for store_ms in range(1000, self.now_ms + 12, 5):
            assert self.offset_at(store_ms) == self.expected_at(store_ms), store_ms


# ---------------------------------------------------------------- by offset and by time


def test_an_empty_queue_has_nothing_and_ends_where_it_begins() -> None:
    queue = Queue()
    assert queue.look(0) == ()
    assert queue.offset_at(0) == 0
    assert queue.queue.flush(sync=True) == ()
    queue.queue.check()


@pytest.mark.parametrize("where", ["in memory", "in files", "restored"])
def test_entries_are_found_by_offset_and_by_time(where: str) -> None:
    queue = Queue()
    queue.fill(11)
    if where != "in memory":
        queue.flush()
    if where == "restored":
        queue = queue.restored()
    queue.assert_as_listed()
    assert (queue.disk.read_bytes > 0) == (where == "restored")


def test_a_batch_is_one_entry_and_found_by_any_of_its_offsets() -> None:
    queue = Queue()
    first, second = queue.append(5), queue.append(3)
    assert [queue.look(offset, 1) for offset in range(8)] == [(first,)] * 5 + [(second,)] * 3
    assert queue.look(8) == ()


def test_entries_must_continue_the_queue() -> None:
    queue = Queue()
    entry = queue.append(2)
    for bad in (entry, entry._replace(base_offset=3), entry._replace(base_offset=2, count=0)):
        with pytest.raises(StateError, match="cannot follow offset 2"):
            queue.queue.append(bad)
    queue.assert_as_listed()


def test_store_times_never_fall() -> None:
    queue = Queue()
    queue.append()
    queue.queue.append(QueueEntry(1, 0, 2, 5, 9, 1, 0, 0))  # a clock went back
    assert queue.look(1)[0].store_ms == 1010
    assert queue.offset_at(1010) == 0
    assert queue.offset_at(1011) == 2


def test_several_batches_of_one_millisecond_are_found_from_the_first() -> None:
    queue = Queue()
    queue.append()
    for _ in range(6):
        queue.append(after_ms=0)
    queue.append()
    queue.flush()
    for one in (queue, queue.restored()):
        assert one.offset_at(1010) == 0
        assert one.offset_at(1011) == 7


def test_a_reader_that_keeps_up_touches_no_file() -> None:
    queue = Queue()
    for _ in range(5000):
        queue.append()
        queue.flush()
        assert queue.look(queue.queue.max_offset - 1)
    assert queue.disk.reads == []
    assert len(queue.queue._tail_offsets) <= 2 * TAIL_MIN
    assert queue.look(17, 2) == queue.expected(17, 2)
    assert 0 < len(queue.disk.reads) < 25


# ---------------------------------------------------------------- files


def test_files_hold_so_many_entries_each_and_are_written_in_one_piece() -> None:
    queue = Queue()
    queue.fill(9)
    plan = queue.queue.flush()
    folder = queue_folder("t", 0)
    assert [(type(o), o.file) for o in plan] == [(Write, f"{folder}/{number:020d}.cq") for number in (0, 4, 8)]
    queue.flush()
    assert queue.disk.files() == {f"{folder}/{number:020d}.cq": size * ENTRY_BYTES for number, size in ((0, 4), (4, 4), (8, 1))}
    assert queue.queue.flush() == ()


def test_a_sync_covers_what_earlier_calls_brought_into_other_files() -> None:
    queue = Queue()
    queue.fill(3)
    queue.flush()
    queue.fill(3)
    queue.flush()
    queue.fill(1)
    synced = [operation.file for operation in queue.queue.flush(sync=True) if isinstance(operation, Sync)]
    assert synced == sorted(queue.disk.files())
    assert len(synced) == 2
    queue.flush(sync=True)
    assert queue.queue.flush(sync=True) == ()
    queue.append()
    assert [type(operation) for operation in queue.queue.flush(sync=True)] == [Write, Sync]


def test_no_two_topics_share_a_folder() -> None:
    topics = ["t", "T", "%RETRY%g", "=54=", "a/b", "a=2f=b", "..", "a-b_c", "ü", "x" * 127]
    folders = {queue_folder(topic, 0).lower() for topic in topics}
    assert len(folders) == len(topics)
    assert all(folder.count("/") == 2 and ".." not in folder for folder in folders)


def test_deleting_removes_the_files_of_this_queue_alone() -> None:
    queue = Queue()
    queue.fill(6)
    queue.flush()
    for other in ("queues/t/1/00000000000000000000.cq", "queues/tt/0/00000000000000000000.cq"):
        queue.disk.data[other] = bytearray(b"x")
    perform(queue.disk, queue.queue.delete(queue.disk.files()))
    assert sorted(queue.disk.data) == ["queues/t/1/00000000000000000000.cq", "queues/tt/0/00000000000000000000.cq"]


def test_a_file_that_a_snapshot_needs_is_missed() -> None:
    queue = Queue()
    queue.fill(10)
    queue.flush()
    files = queue.disk.files()
    restored = queue.restored().queue
    assert restored.missing(files) is None
    for file in files:
        assert restored.missing({f: size for f, size in files.items() if f != file}) == file
        assert restored.missing({**files, file: files[file] - 1}) == file
    queue.fill(3)
    queue.flush()
    assert restored.missing(queue.disk.files()) is None  # more than needed does no harm


def test_what_stands_in_files_beyond_a_snapshot_is_written_anew() -> None:
    queue = Queue()
    queue.fill(5)
    queue.flush()
    early = queue.restored()
    queue.fill(4)
    queue.flush()
    assert early.look(0, 99) == tuple(early.entries)
    for number in range(5):
        early.append(2, after_ms=number)
    early.flush()
    early.restored().assert_as_listed()


@pytest.mark.parametrize("is_restored", [True, False])
def test_every_damaged_byte_is_found_by_reading(is_restored: bool) -> None:
    queue = Queue()
    queue.fill(6)
    queue.flush()
    for file, size in queue.disk.files().items():
        for at in range(size):
            damaged = queue.restored() if is_restored else queue
            damaged.disk.flip(file, at)
            if is_restored:
                with pytest.raises(DamageError) as caught:
                    damaged.look(0, 99)
                assert (caught.value.file, caught.value.at) == (file, at - at % ENTRY_BYTES)
            else:
                assert damaged.look(0, 99) == queue.expected(0, 99)  # from memory
            damaged.disk.flip(file, at)


def test_a_file_that_is_cut_short_or_gone_is_reported() -> None:
    queue = Queue()
    queue.fill(6)
    queue.flush()
    restored = queue.restored()
    last = max(queue.disk.files())
    del queue.disk.data[last][-1:]
    with pytest.raises(DamageError, match=f"47 of {ENTRY_BYTES} bytes"):
        restored.look(0, 99)
    del queue.disk.data[last]
    with pytest.raises(DamageError, match=f"0 of {ENTRY_BYTES} bytes"):
        restored.look(0, 99)


def test_a_whole_entry_in_the_wrong_place_is_reported() -> None:
    queue = Queue()
    queue.fill(8)
    queue.flush()
    restored = queue.restored()
    (first, _) = sorted(queue.disk.files())
    content = queue.disk.data[first]
    content[ENTRY_BYTES : 2 * ENTRY_BYTES], content[:ENTRY_BYTES] = content[:ENTRY_BYTES], content[ENTRY_BYTES : 2 * ENTRY_BYTES]
    with pytest.raises(DamageError, match=r"does not hold 0|not where the one before it ends"):
        restored.look(0, 4)


# ---------------------------------------------------------------- retention


@pytest.mark.parametrize("flushed", ["before", "after", "never"])
def test_retention_removes_the_files_that_hold_only_older_entries(flushed: str) -> None:
    queue = Queue()
    queue.fill(11)  # files begin at offsets 0, 7, 15
    if flushed == "before":
        queue.flush()
    removed = []
    for offset in range(queue.queue.max_offset + 3):
        plan = queue.queue.drop_before(QueueOffset(offset))
        removed += [(offset, operation.file[-6:]) for operation in plan if isinstance(operation, Remove)]
        perform(queue.disk, plan)
        assert queue.queue.min_offset == min(offset, queue.queue.max_offset)
        assert queue.look(0, 99) == queue.expected(0, 99)
        queue.queue.check()
    assert removed == [(7, "000.cq"), (15, "004.cq")]
    if flushed == "after":
        queue.flush()
    assert len(queue.disk.data) == (flushed != "never")
    queue.append()
    queue.flush()
    queue.restored().assert_as_listed()


def test_retention_is_the_same_on_every_replica_whenever_it_flushes() -> None:
    states = []
    for flush_every in (1, 5, 10_000):
        queue = Queue()
        for number in range(3000):
            queue.append(1 + number % 3)
            if number % flush_every == 0:
                queue.flush()
            if number % 700 == 0:
                queue.drop_before(queue.queue.max_offset // 2)
        states.append(queue.queue.state())
        assert queue.queue.first_entry > 0
    assert states[0] == states[1] == states[2]


def test_the_files_of_a_long_queue_go_also_far_from_its_end() -> None:
    queue = Queue()
    queue.fill(8000)
    queue.flush()
    queue.drop_before(1000)
    first = queue.look(0, 1)[0]
    assert first.base_offset <= 1000 < first.base_offset + first.count
    assert queue.queue.first_entry == queue.entries.index(first) // PER_FILE * PER_FILE
    assert len(queue.disk.data) == (8000 - queue.queue.first_entry) // PER_FILE
    assert queue.restored().look(0, 1) == (first,)


def test_a_look_goes_on_when_retention_removes_what_it_was_about_to_read() -> None:
    surprised = 0
    for dropped_at in range(8):
        for is_by_time in (False, True):
            queue = Queue()
            queue.fill(64)
            queue.flush()
            queue = queue.restored()
            before = queue.expected_at(1015) if is_by_time else queue.expected(2, 5)
            reads = 0

            def drop(number: int, queue: Queue = queue, dropped_at: int = dropped_at) -> None:
                nonlocal reads
                reads = number + 1
                if number == dropped_at:
                    queue.drop_before(60)

            if is_by_time:
                found: object = drive_with(queue.queue.offset_at(1015), queue.disk, drop)
                after: object = 60
            else:
                found = drive_with(queue.queue.entries(QueueOffset(2), 5), queue.disk, drop)
                after = queue.expected(60, 5)
            assert found == (after if dropped_at == 0 else found)
            assert found in (before, after)
            surprised += reads > dropped_at and found == after
    assert surprised > 4


# ---------------------------------------------------------------- against a plain list


VERBS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 5), st.integers(0, 20)),
    st.tuples(st.just("flush"), st.booleans(), st.none()),
    st.tuples(st.just("drop"), st.integers(0, 60), st.none()),
    st.tuples(st.just("restore"), st.none(), st.none()),
)


@given(st.lists(VERBS, max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_sequence_of_verbs_agrees_with_a_plain_list(verbs: list[tuple[str, int, int]]) -> None:
    queue = Queue()
    for verb, one, two in verbs:
        if verb == "append":
            queue.append(one, after_ms=two)
        elif verb == "flush":
            queue.flush(sync=bool(one))
        elif verb == "drop":
            queue.drop_before(one)
        else:
            queue.flush(sync=True)
            assert queue.restored().queue.missing(queue.disk.files()) is None
            queue = queue.restored()
    queue.assert_as_listed()
    queue.flush()
    queue.restored().assert_as_listed()
