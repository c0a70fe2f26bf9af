"""The log as Raft sees it, against a plain list; and what is kept in memory."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.log import RaftLog
from mq.sim.hand.hand_log import HandLog

RECENT_BYTES_MAX = 40
NOWHERE = EntryId(Term(0), LogIndex(0))
STEPS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1, max_size=5)


def entries_from(first: int, term: int, steps: Sequence[tuple[int, int]]) -> list[Entry]:
    """Steps: by how much the term rises, and the payload's size."""
    made = []
    for at, (rise, size_bytes) in enumerate(steps, first):
        term += rise
        made.append(Entry(LogIndex(at), Term(term), EntryKind.COMMAND, b"x" * size_bytes))
    return made


class LogMachine(RuleBasedStateMachine):
    """Beside the log: all its entries in a list, what stood there before each append, and how much is durable."""

    def __init__(self) -> None:
        super().__init__()
        self.log = RaftLog(HandLog(), RECENT_BYTES_MAX)
        self.base = self.origin = NOWHERE
        self.forgotten: list[Entry] = []  # since the last reset; they may still be in memory
        self.entries: list[Entry] = []
        self.waiting: list[tuple[int, list[Entry]]] = []
        self.durable: list[Entry] = []
        self.term = 0

    def last(self) -> EntryId:
        return EntryId(self.entries[-1].term, self.entries[-1].index) if self.entries else self.base

    def _put(self, after: int, steps: Sequence[tuple[int, int]]) -> None:
        new = entries_from(after + 1, self.term, steps)
        appended = self.log.append(after, new, None)
        self.waiting.append((appended.sequence, self.entries))
        self.entries = [*self.entries[: after - self.base.index], *new]
        self.term = new[-1].term

    @rule(steps=STEPS)
    def append(self, steps: list[tuple[int, int]]) -> None:
        self._put(self.last().index, steps)

    @precondition(lambda self: bool(self.entries))
    @rule(steps=STEPS, back=st.integers(1, 6))
    def supersede(self, steps: list[tuple[int, int]], back: int) -> None:
        self.term += 1
        self._put(max(self.base.index, self.last().index - back), steps)

    @rule(term=st.integers(1, 3))
    def save_a_vote(self, term: int) -> None:
        appended = self.log.append(self.last().index, (), HardState(Term(term), None))
        self.waiting.append((appended.sequence, self.entries))

    @precondition(lambda self: bool(self.waiting))
    @rule(count=st.integers(1, 3))
    def synced(self, count: int) -> None:
        done = self.waiting[:count]
        self.log.synced(done[-1][0])
        self.waiting = self.waiting[count:]
        self.durable = self.waiting[0][1] if self.waiting else self.entries

    @precondition(lambda self: bool(self.waiting))
    @rule()
    def abandon(self) -> None:
        sequence, self.entries = self.waiting.pop()
        self.log.abandon(sequence)

    @precondition(lambda self: bool(self.entries) and not self.waiting)
    @rule(count=st.integers(1, 4))
    def forget(self, count: int) -> None:
        gone = self.entries[:count]
        self.log.forget_before(gone[-1].index + 1)
        self.base = EntryId(gone[-1].term, gone[-1].index)
        self.forgotten += gone
        self.entries = self.durable = self.entries[count:]

    @precondition(lambda self: not self.waiting)
    @rule(ahead=st.integers(1, 5))
    def reset(self, ahead: int) -> None:
        self.term += 1
        self.base = self.origin = EntryId(Term(self.term), LogIndex(self.last().index + ahead))
        self.forgotten = []
        appended = self.log.reset(self.base, HardState(Term(self.term), None))
        self.log.synced(appended.sequence)
        self.entries = self.durable = []

    @invariant()
    def the_last_entry_is_the_lists(self) -> None:
        assert self.log.last == self.last()

    @invariant()
    def terms_are_the_lists(self) -> None:
        found = {index: self.log.term_at(index) for index in range(self.base.index, self.last().index + 3)}
        expected: dict[int, Term | None] = dict.fromkeys(found)
        expected[self.base.index] = self.base.term
        for entry in self.entries:
            expected[entry.index] = entry.term
        assert found == expected
        assert all(self.log.has(EntryId(entry.term, entry.index)) for entry in self.entries)
        assert not any(self.log.has(EntryId(Term(entry.term + 1), entry.index)) for entry in self.entries)

    @invariant()
    def recent_entries_are_the_lists_without_a_gap(self) -> None:
        known = [index for index in range(1, self.last().index + 1) if self.log.recent(index, 99, 1 << 20) is not None]
        assert known == list(range(self.last().index + 1 - len(known), self.last().index + 1))
        for index in known:
            expected = tuple(entry for entry in (*self.forgotten, *self.entries) if entry.index >= index)
            assert self.log.recent(index, 99, 1 << 20) == expected

    @invariant()
    def the_last_one_at_most_is_the_lists(self) -> None:
        kept = [*self.forgotten, *self.entries]
        everything = [self.origin, *(EntryId(entry.term, entry.index) for entry in kept)]
        for index in {self.base.index, self.last().index - 1, self.last().index, self.last().index + 2}:
            for term in {0, self.term - 1, self.term}:
                fits = [found for found in everything if found.index <= index and found.term <= term]
                expected = fits[-1] if fits else NOWHERE
                found = self.log.last_at_most(index, term)
                assert found == expected or (found == NOWHERE and expected.index < self.base.index)


TestLogAgainstAList = LogMachine.TestCase
TestLogAgainstAList.settings = settings(max_examples=60, stateful_step_count=30)


# ---------------------------------------------------------------- what is kept in memory


def a_log(steps: Sequence[tuple[int, int]], recent_bytes_max: int = RECENT_BYTES_MAX) -> RaftLog:
    log = RaftLog(HandLog(), recent_bytes_max)
    log.append(0, entries_from(1, 1, steps), None)
    return log


@given(st.lists(st.tuples(st.just(0), st.integers(0, 20)), min_size=1, max_size=12), st.integers(1, 12), st.integers(0, 60))
def test_as_many_entries_as_fit_but_one_at_least(steps: list[tuple[int, int]], entries_max: int, bytes_max: int) -> None:
    log, sizes = a_log(steps), [size for _, size in steps]
    for first in range(1, len(steps) + 1):
        found = log.recent(first, entries_max, bytes_max)
        assert found
        count = len(found)
        assert [entry.index for entry in found] == list(range(first, first + count))
        assert count <= entries_max
        assert count == 1 or sum(sizes[first - 1 : first - 1 + count]) <= bytes_max
        is_at_its_end = first + count > len(steps) or count == entries_max
        assert is_at_its_end or sum(sizes[first - 1 : first + count]) > bytes_max


@given(st.lists(st.tuples(st.just(0), st.integers(1, 20)), min_size=1, max_size=20))
def test_what_is_durable_leaves_the_memory_when_that_is_full(steps: list[tuple[int, int]]) -> None:
    log, total = a_log(steps), sum(size for _, size in steps)
    assert log.recent(1, 99, 1 << 20) is not None, "what is not durable stays, however much it is"
    log.synced(1)
    is_whole = log.recent(1, 99, 1 << 20) is not None
    assert is_whole is (total <= RECENT_BYTES_MAX)
    kept = [index for index in range(1, len(steps) + 1) if log.recent(index, 99, 1 << 20) is not None]
    size = sum(steps[index - 1][1] for index in kept)
    assert size <= (RECENT_BYTES_MAX if is_whole else RECENT_BYTES_MAX // 2)
    if not is_whole and len(kept) < len(steps):
        gone = steps[len(steps) - len(kept) - 1][1]
        assert size + gone > RECENT_BYTES_MAX // 2, "no more than that has to leave"


def test_what_is_not_durable_stays_in_memory_also_when_the_rest_leaves() -> None:
    log = a_log([(0, 30)] * 3)
    log.append(3, entries_from(4, 1, [(0, 30)] * 3), None)
    log.synced(1)
    assert [index for index in range(1, 7) if log.recent(index, 99, 1 << 20) is not None] == [4, 5, 6]


def test_behind_the_last_entry_there_is_nothing_and_that_is_known() -> None:
    assert a_log([(0, 1)] * 2).recent(3, 5, 5) == ()


# ---------------------------------------------------------------- the twin of the hand


def test_the_log_of_the_hand_forgets_what_was_not_saved() -> None:
    log = HandLog()
    log.append(LogIndex(0), entries_from(1, 1, [(0, 1)] * 3), HardState(Term(1), 2))
    log.synced(1)
    log.append(LogIndex(1), entries_from(2, 2, [(0, 1)]), HardState(Term(2), None))
    assert (log.last_index, log.durable_index, log.hard_state) == (2, 1, HardState(Term(2), None))
    log.crash(keeps_unsaved=False)
    assert (log.last_index, log.durable_index, log.hard_state) == (3, 3, HardState(Term(1), 2))


def test_the_log_of_the_hand_keeps_what_was_written_when_only_the_process_ends() -> None:
    log = HandLog()
    log.append(LogIndex(0), entries_from(1, 1, [(0, 1)] * 3), None)
    log.crash(keeps_unsaved=True)
    assert (log.last_index, log.durable_index) == (3, 3)


def test_the_log_of_the_hand_refuses_what_does_not_fit() -> None:
    log = HandLog()
    log.append(LogIndex(0), entries_from(1, 1, [(0, 1)] * 3), None)
    log.append(LogIndex(3), entries_from(4, 1, [(0, 1)]), None)
    with pytest.raises(StateError):
        log.append(LogIndex(5), entries_from(6, 1, [(0, 1)]), None)
    with pytest.raises(StateError):
        log.append(LogIndex(2), entries_from(4, 1, [(0, 1)]), None)
    with pytest.raises(StateError):
        log.abandon(1)
