"""Appends on their way to the disk: none is lost, none overtakes another, and few syncs are needed."""

from hypothesis import given
from hypothesis import strategies as st

from mq.broker.store.write_queue import WriteQueue
from mq.core.entry import Appended
from mq.core.ports import Create, Operation, Sync, Write


def plain(sequence: int, file: str, size_bytes: int = 1) -> Appended:
    return Appended((Write(file, sequence, b"x" * size_bytes), Sync(file)), (), sequence)


def roll(sequence: int, file: str) -> Appended:
    return Appended((Create(file, 10), Write(file, 0, b"h"), Sync(file), Write(file, 1, b"x"), Sync(file)), (), sequence)


def drain(queue: WriteQueue) -> list[tuple[tuple[Operation, ...], int]]:
    batches = []
    while plan := queue.take():
        batches.append((plan, queue.done()))
    return batches


def test_what_waits_for_one_file_is_synced_once() -> None:
    queue = WriteQueue()
    for sequence in (1, 2, 3):
        queue.put(plain(sequence, "a"))
    ((batch, last),) = drain(queue)
    assert batch == (Write("a", 1, b"x"), Write("a", 2, b"x"), Write("a", 3, b"x"), Sync("a"))
    assert last == 3
    assert queue.is_empty


def test_a_new_segment_goes_alone() -> None:
    queue = WriteQueue()
    for appended in (plain(1, "a"), roll(2, "b"), plain(3, "b"), plain(4, "b")):
        queue.put(appended)
    assert [last for _, last in drain(queue)] == [1, 2, 4]


def test_a_long_queue_is_cut_so_that_its_first_need_not_wait_for_its_last() -> None:
    queue = WriteQueue()
    for sequence in range(1, 4):
        queue.put(plain(sequence, "a", 5 << 20))
    assert [last for _, last in drain(queue)] == [2, 3]


def test_where_there_is_no_room_all_behind_it_are_given_back_unbegun() -> None:
    queue = WriteQueue()
    for sequence in (1, 2):
        queue.put(plain(sequence, "a"))
    queue.put(roll(3, "b"))
    queue.put(plain(4, "b"))
    queue.take()
    assert queue.done() == 2
    queue.take()
    assert queue.is_busy
    assert queue.refused() == (3, 4)
    assert queue.is_empty
    assert queue.take() == ()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=30))
def test_every_write_is_done_in_order_and_followed_by_a_sync_of_its_file(kinds: list[tuple[str, bool]]) -> None:
    queue, asked = WriteQueue(), list[Operation]()
    for sequence, (file, is_roll) in enumerate(kinds, 1):
        appended = roll(sequence, file) if is_roll else plain(sequence, file)
        asked += appended.plan
        queue.put(appended)
    batches = drain(queue)
    done = [operation for plan, _ in batches for operation in plan]
    assert [one for one in done if not isinstance(one, Sync)] == [one for one in asked if not isinstance(one, Sync)]
    for plan, _ in batches:
        for place, operation in enumerate(plan):
            if isinstance(operation, Write):
                assert Sync(operation.file) in plan[place:]
    assert [last for _, last in batches][-1:] == ([len(kinds)] if kinds else [])
