"""The log in memory: it behaves like the broker's, and its medium keeps through a crash what a disk would keep."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.sim.group.light_log import LightLog, LightMedium

NOBODY = HardState(Term(9), None)


def entries(after: int, *terms: int) -> list[Entry]:
    return [
        Entry(LogIndex(after + number), Term(term), EntryKind.COMMAND, b"%d/%d" % (after + number, term))
        for number, term in enumerate(terms, 1)
    ]


def terms_of(log: LightLog | LightMedium) -> list[int | None]:
    first = log.first_index if isinstance(log, LightLog) else log.base.index + 1
    return [log.term_at(LogIndex(index)) for index in range(first, log.last_index + 1)]


def opened(*terms: int) -> LightLog:
    """A log whose entries of these terms are durable."""
    log = LightLog(LightMedium())
    sync(log, log.append(LogIndex(0), entries(0, *terms), NOBODY).sequence)
    return log


def sync(log: LightLog, sequence: int) -> None:
    log.medium.sync(sequence)
    log.synced(sequence)


def test_an_append_is_durable_when_it_is_synced_and_not_before() -> None:
    log = LightLog(LightMedium())
    appended = log.append(LogIndex(0), entries(0, 1, 1), HardState(Term(1), 2))
    assert (log.last_index, log.durable_index, log.hard_state) == (2, 0, HardState(Term(1), 2))
    assert (log.medium.last_index, log.medium.hard_state.term) == (0, 0)
    sync(log, appended.sequence)
    assert (log.durable_index, log.medium.last_index, log.medium.hard_state) == (2, 2, HardState(Term(1), 2))


def test_what_is_about_to_be_superseded_is_durable_no_more_and_still_on_the_disk() -> None:
    log = opened(1, 1, 1)
    appended = log.append(LogIndex(1), entries(1, 2))
    assert (log.durable_index, terms_of(log), terms_of(log.medium)) == (1, [1, 2], [1, 1, 1])
    sync(log, appended.sequence)
    assert (log.durable_index, terms_of(log.medium)) == (2, [1, 2])


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_crash_keeps_a_prefix_of_what_was_not_synced(kept: int) -> None:
    log = opened(1, 1)
    log.append(LogIndex(2), entries(2, 1, 1))
    log.append(LogIndex(1), entries(1, 2), HardState(Term(10), 3))
    log.medium.crash(kept)
    again = LightLog(log.medium)
    assert terms_of(again) == [[1, 1], [1, 1, 1, 1], [1, 2]][kept]
    assert again.hard_state == (HardState(Term(10), 3) if kept == 2 else NOBODY)
    assert again.durable_index == again.last_index


def test_an_append_that_was_not_carried_out_leaves_the_log_as_it_was() -> None:
    log = opened(1, 1, 1)
    first = log.append(LogIndex(1), entries(1, 2, 2), HardState(Term(11), 1))
    second = log.reset(EntryId(Term(2), LogIndex(50)), HardState(Term(12), 1))
    assert (log.first_index, log.last_index, log.durable_index) == (51, 50, -1)
    with pytest.raises(StateError, match="not the newest"):
        log.abandon(first.sequence)
    log.abandon(second.sequence)
    assert (terms_of(log), log.hard_state, log.durable_index) == ([1, 2, 2], HardState(Term(11), 1), 1)
    log.abandon(first.sequence)
    assert (terms_of(log), log.hard_state, log.durable_index) == ([1, 1, 1], NOBODY, 3)
    log.medium.crash(9)
    assert terms_of(LightLog(log.medium)) == [1, 1, 1]


def test_a_reset_forgets_all_entries_in_one_step() -> None:
    log = opened(1, 1)
    appended = log.reset(EntryId(Term(4), LogIndex(7)), NOBODY)
    assert terms_of(log.medium) == [1, 1]
    sync(log, appended.sequence)
    assert (log.medium.base, log.medium.entries) == (EntryId(Term(4), LogIndex(7)), [])
    assert (log.term_at(LogIndex(7)), log.term_at(LogIndex(2)), log.durable_index) == (4, None, 7)
    log.append(LogIndex(7), entries(7, 4))
    assert log.last_index == 8


def test_only_what_is_durable_and_not_about_to_be_superseded_is_forgotten() -> None:
    log = opened(1, 1, 1)
    log.append(LogIndex(3), entries(3, 1))
    assert log.drop_before(LogIndex(9)), "the last entry waits, so it stays"
    assert (log.first_index, log.term_at(LogIndex(3)), log.entries(3, 4)) == (4, 1, ())
    log.append(LogIndex(3), entries(3, 2))
    assert log.drop_before(LogIndex(4)) == ()


@pytest.mark.parametrize(
    ("after", "terms", "why"),
    [
        (5, [2], "the log holds 1 to 3"),
        (2, [1], "in the log already"),
        (3, [0], "cannot stand behind"),
        (3, [2, 1], "cannot stand behind one of term 2"),
        (3, [10], "later term than the node's own"),
    ],
)
def test_what_does_not_fit_is_refused(after: int, terms: Sequence[int], why: str) -> None:
    log = opened(1, 1, 1)
    with pytest.raises(StateError, match=why):
        log.append(LogIndex(after), entries(after, *terms))
    assert terms_of(log) == [1, 1, 1]


def test_an_entry_may_take_the_place_of_one_of_a_higher_term() -> None:
    log = opened(1, 3)
    log.append(LogIndex(1), entries(1, 2, 4))
    assert terms_of(log) == [1, 2, 4], "figure 8 (c)"


def test_a_damaged_log_takes_nothing() -> None:
    log = opened(1)
    log.medium.is_damaged = True
    with pytest.raises(StateError, match="damaged"):
        LightLog(log.medium).append(LogIndex(1), entries(1, 1))


@given(seed=st.integers(0, 1 << 30))
def test_after_any_crash_the_log_is_one_that_was_appended_and_holds_all_that_was_synced(seed: int) -> None:
    rng = Random(seed)
    log, term = LightLog(LightMedium()), 1
    versions: list[tuple[int, list[int | None]]] = [(0, [])]
    synced = 0
    for _ in range(12):
        if rng.random() < 0.5:
            term += 1
            after = rng.randint(0, log.last_index)
        else:
            after = log.last_index
        sequence = log.append(LogIndex(after), entries(after, *[term] * rng.randint(1, 3)), HardState(Term(term), None)).sequence
        versions.append((sequence, terms_of(log)))
        if rng.random() < 0.3:
            synced = sequence
            sync(log, sequence)
            assert log.durable_index == log.last_index
        if rng.random() < 0.1 and versions[-1][0] > synced:
            log.abandon(versions.pop()[0])
            assert terms_of(log) == versions[-1][1]
    log.medium.crash(rng.randint(0, 12))
    left = terms_of(LightLog(log.medium))
    assert left in [terms for sequence, terms in versions if sequence >= synced]
