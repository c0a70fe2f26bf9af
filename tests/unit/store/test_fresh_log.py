"""What a node has at hand of its log: always what the log itself says, or nothing."""

from hypothesis import given
from hypothesis import strategies as st

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Appended, Entry, EntryKind, HardState
from mq.core.ids import EntryId, LogIndex, Term


def entries(first: int, count: int, term: int) -> list[Entry]:
    return [Entry(LogIndex(first + i), Term(term), EntryKind.COMMAND, b"%d %d" % (first + i, term)) for i in range(count)]


def append(log: FreshLog, after: int, count: int, term: int) -> Appended:
    return log.append(LogIndex(after), entries(after + 1, count, term), HardState(Term(term), None))


def new_log() -> FreshLog:
    return FreshLog(CommitLog(segment_bytes=64 << 10))


def test_what_was_appended_is_at_hand_with_its_place() -> None:
    log = new_log()
    places = append(log, 0, 3, 1).places
    assert [log.fresh[index] for index in (1, 2, 3)] == list(zip(entries(1, 3, 1), places, strict=True))


def test_what_is_superseded_is_forgotten() -> None:
    log = new_log()
    append(log, 0, 5, 1)
    append(log, 2, 1, 2)
    assert sorted(log.fresh) == [1, 2, 3]
    assert log.fresh[3][0].term == 2


def test_of_an_append_that_is_taken_back_nothing_is_at_hand() -> None:
    log = new_log()
    log.synced(append(log, 0, 3, 1).sequence)
    second = append(log, 1, 4, 2)
    assert sorted(log.fresh) == [1, 2, 3, 4, 5]
    log.abandon(second.sequence)
    assert sorted(log.fresh) == [1]  # 2 and 3 are back in the log: they are read from the disk
    assert log.last_index == 3


def test_it_knows_which_of_its_appends_is_next() -> None:
    log = new_log()
    assert log.sequence_after(-1) is None
    first, second = append(log, 0, 3, 1).sequence, append(log, 3, 1, 1).sequence
    third = log.reset(EntryId(Term(1), LogIndex(9)), HardState(Term(1), None)).sequence
    assert [log.sequence_after(one) for one in (-1, first, second, third)] == [first, second, third, None]
    log.abandon(third)
    assert log.sequence_after(second) is None


def test_behind_a_reset_nothing_is_at_hand() -> None:
    log = new_log()
    log.synced(append(log, 0, 3, 1).sequence)
    log.reset(EntryId(Term(1), LogIndex(9)), HardState(Term(1), None))
    assert log.fresh == {}
    append(log, 9, 1, 2)
    assert sorted(log.fresh) == [10]


@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "supersede", "abandon", "sync"]), st.integers(1, 4), st.integers(0, 3)), max_size=25
    )
)
def test_it_never_contradicts_the_log(steps: list[tuple[str, int, int]]) -> None:
    log, term, unsynced = new_log(), 1, list[int]()
    for what, count, back in steps:
        if what == "append":
            unsynced.append(append(log, log.last_index, count, term).sequence)
        elif what == "supersede":
            term += 1
            unsynced.append(append(log, max(0, log.last_index - back), count, term).sequence)
        elif what == "abandon" and unsynced:
            log.abandon(unsynced.pop())
        elif what == "sync" and unsynced:
            log.synced(unsynced[-1])
            unsynced.clear()
        for index, (entry, _) in log.fresh.items():
            assert index == entry.index <= log.last_index
            assert log.term_at(LogIndex(index)) == entry.term
