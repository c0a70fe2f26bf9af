"""A consume queue that was given another node's snapshot: it has no entries from before it, only holes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mq.broker.store.consume_queue import ENTRY_BYTES, ConsumeQueue, QueueEntry, QueueState
from mq.core.errors import DamageError
from mq.core.ids import QueueOffset
from mq.core.ports import Remove, Write, drive, perform
from tests.unit.store.helpers import MemoryDisk
from tests.unit.store.test_consume_queue import PER_FILE, Queue


def given_a_snapshot(sender: Queue) -> Queue:
    """The same queue on a node that has nothing but the sender's state."""
    queue = ConsumeQueue.restore("t", 0, QueueState.from_plain(sender.queue.state().to_plain()), entries_per_file=PER_FILE)
    given = Queue(queue, MemoryDisk(), list(sender.entries), sender.now_ms)
    perform(given.disk, queue.hollow())
    queue.check()
    return given


def assert_whole_from(queue: Queue, first_held: int) -> None:
    """Every offset and every time: found among the entries from number `first_held` on, refused before it."""
    held = queue.entries[first_held:]
    begin = held[0].base_offset if held else queue.queue.max_offset
    for offset in range(queue.queue.min_offset, queue.queue.max_offset + 2):
        if offset < begin:
            with pytest.raises(DamageError, match="hole"):
                queue.look(offset, 3)
        else:
            assert queue.look(offset, 3) == queue.expected(offset, 3), offset
    for store_ms in range(1000, queue.now_ms + 12, 5):
        later = [e.base_offset for e in held if e.store_ms >= store_ms]
        assert queue.offset_at(store_ms) == max(queue.queue.min_offset, later[0] if later else queue.queue.max_offset), store_ms


def test_a_hollow_queue_misses_no_file_and_holds_no_entry() -> None:
    sender = Queue()
    sender.fill(4 * PER_FILE + 2)
    sender.drop_before(8)
    assert sender.queue.first_entry > 0
    queue = given_a_snapshot(sender)
    assert queue.queue.missing({}) is not None
    assert queue.queue.missing(queue.disk.files()) is None
    plan = queue.queue.hollow()
    assert len(plan) == 4
    assert all(isinstance(o, Write) and o.data == bytes(ENTRY_BYTES) for o in plan)
    assert not any(any(content) for content in queue.disk.data.values())
    assert_whole_from(queue, len(queue.entries))


def test_an_empty_queue_needs_no_files() -> None:
    assert given_a_snapshot(Queue()).queue.hollow() == ()


def test_hollow_files_are_synced_before_a_snapshot_of_ones_own_relies_on_them() -> None:
    sender = Queue()
    sender.fill(2 * PER_FILE + 1)
    queue = given_a_snapshot(sender)
    assert sorted(o.file for o in queue.queue.flush(sync=True)) == sorted(queue.disk.files())
    queue.flush(sync=True)
    assert queue.queue.flush(sync=True) == ()


def test_an_entry_asked_for_where_a_hole_is_is_reported_with_its_place() -> None:
    sender = Queue()
    sender.fill(3)
    queue = given_a_snapshot(sender)
    queue.append()
    for one in (queue, reopened(queue)):
        with pytest.raises(DamageError, match="hole") as caught:
            one.look(0, 1)
        assert (caught.value.file, caught.value.at) == (min(queue.disk.files()), 2 * ENTRY_BYTES)  # the last one
        with pytest.raises(DamageError, match="hole"):
            one.look(queue.entries[3].base_offset - 1, 1)
        assert one.look(queue.entries[3].base_offset, 1) == (queue.entries[3],)


def test_files_of_an_earlier_life_go_before_holes_are_made() -> None:
    sender = Queue()
    sender.fill(2)
    disk = MemoryDisk()
    perform(disk, sender.queue.flush())
    sender.fill(9)
    queue = given_a_snapshot(sender)
    queue.disk = disk
    removals = queue.queue.delete(disk.files())
    assert [type(o) for o in removals] == [Remove]
    perform(disk, (*removals, *queue.queue.hollow()))
    queue.fill(3)
    queue.flush()
    assert_whole_from(reopened(queue), 11)


def reopened(queue: Queue) -> Queue:
    """Another life, with all in files."""
    queue.flush(sync=True)
    assert queue.queue.missing(queue.disk.files()) is None
    return queue.restored()


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 20)), max_size=20),
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 20)), max_size=20),
    st.integers(0, 120),
)
@settings(max_examples=150, deadline=None)
def test_search_by_offset_and_by_time_works_over_the_end_of_the_holes(
    before: list[tuple[int, int]], dropped: int, behind: list[tuple[int, int]], dropped_later: int
) -> None:
    sender = Queue()
    for count, after_ms in before:
        sender.append(count, after_ms=after_ms)
    sender.drop_before(dropped)
    queue = given_a_snapshot(sender)
    for count, after_ms in behind:
        sender.append(count, after_ms=after_ms)
        queue.append(count, after_ms=after_ms)
    assert queue.queue.state() == sender.queue.state()
    assert_whole_from(queue, len(before))
    queue = reopened(queue)
    assert_whole_from(queue, len(before))
    for one in (queue, sender):
        one.drop_before(dropped_later)
    assert queue.queue.state() == sender.queue.state()
    assert_whole_from(queue, len(before))


def test_a_hole_deep_inside_a_long_queue_ends_where_its_own_entries_begin() -> None:
    sender = Queue()
    sender.fill(500)
    queue = given_a_snapshot(sender)
    queue.fill(500)
    queue = reopened(queue)
    first: QueueEntry = queue.entries[500]
    assert queue.offset_at(0) == first.base_offset
    assert drive(queue.queue.entries(QueueOffset(first.base_offset), 500), queue.disk) == tuple(queue.entries[500:])
