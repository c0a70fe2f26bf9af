"""Forgetting the oldest segments."""

import pytest

from mq.broker.store.record import encode_group
from mq.core.entry import HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Remove, Write
from tests.unit.store.helpers import SMALL_BYTES, LogOnDisk, body, entry, numbered


def written(count: int = 12) -> LogOnDisk:
    """Three entries of 200 bytes in each segment; entry n has term n // 5."""
    log = LogOnDisk(segment_bytes=SMALL_BYTES)
    for number in range(1, count + 1):
        log.append(body(number, 200), term=number // 5)
    return log


def expected(first: int, last: int = 12) -> list[tuple[int, int, bytes]]:
    return [(n, n // 5, payload) for n, _, payload in numbered(first, last, size_bytes=200)]


@pytest.mark.parametrize(("index", "first_index"), [(1, 1), (3, 1), (4, 4), (6, 4), (7, 7), (10, 10), (12, 10), (999, 10)])
def test_whole_segments_below_an_index_go_but_never_the_last_one(index: int, first_index: int) -> None:
    log = written()
    files = [view.file for view in log.log.segments()]
    plan = log.log.drop_before(LogIndex(index))
    assert plan == tuple(Remove(file) for file in files[: (first_index - 1) // 3])
    assert log.log.first_index == first_index
    log.drop_before(index)  # again: nothing more goes
    for operation in plan:
        log.disk.perform(operation)
    assert log.everything() == expected(first_index)
    found = log.reopened()
    assert found.everything() == expected(first_index)
    assert (found.log.first_index, found.log.first_position) == (first_index, log.log.first_position)
    assert found.log.segments() == log.log.segments()


def test_what_is_gone_cannot_be_read_but_the_term_before_the_first_entry_is_known() -> None:
    log = written()
    place = log.plan(b"x").places[0]
    log.drop_before(7)
    for one in (log, log.reopened()):
        assert [one.log.term_at(LogIndex(n)) for n in (5, 6, 7)] == [None, 1, 1]
        with pytest.raises(StateError, match="the log holds 7"):
            one.entries(6, 8)
        with pytest.raises(StateError, match="position 500 is not in the log: it begins at 2304"):
            one.log.read(type(place)(type(place.position)(500), 10))


def test_the_place_before_all_entries_is_not_known_either_when_the_first_entries_are_gone() -> None:
    """A leader that took it for known would offer a follower entries that it does not have, for ever, and never a snapshot."""
    log = written()
    assert log.log.term_at(LogIndex(0)) == 0
    log.drop_before(7)
    for found in (log, log.reopened(), log.reopened(checkpoint=log.log.checkpoint())):
        assert [found.log.term_at(LogIndex(index)) for index in (0, 1, 5, 6)] == [None, None, None, 1]


@pytest.mark.parametrize("after", range(3, 12))
def test_the_term_before_the_first_entry_is_known_also_when_a_later_segment_begins_the_log_with_it(after: int) -> None:
    """Paper: Raft, figure 2, AppendEntries: the leader says what stands before the first entry that it sends."""
    log = written()
    checkpoint = log.log.checkpoint()
    log.append(b"x", after=after, term=9)  # a segment that begins with entry 10 or 13 now holds this as its lowest
    log.append(body(99, 900), term=9)
    log.drop_before(after + 1)
    first, term = (after + 1, after // 5) if after < 9 else (10, 1)
    for found in (log, log.reopened(), log.reopened(checkpoint=checkpoint), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.log.first_index == first
        assert found.log.term_at(LogIndex(first - 1)) == term
        assert found.log.term_at(LogIndex(first - 2)) is None
        assert found.everything()[-2:] == [(after + 1, 9, b"x"), (after + 2, 9, body(99, 900))]
    again = log.reopened()
    again.append(b"y", after=first - 1, term=10)
    assert again.reopened().log.term_at(LogIndex(first - 1)) == term


def test_a_group_that_says_something_else_of_the_entry_before_it_is_damage() -> None:
    log = written()
    position = int(log.log.end_position)
    group, _ = encode_group(position, position, [entry(5, b"x", 9)], before=EntryId(Term(7), LogIndex(4)))
    log.disk.perform(Write(log.last_file(), position - log.log.segments()[-1].base_position, group))
    (damage,) = log.reopened().recovery.damage
    assert "entry 5 is said to stand behind 4 of term 7, not of term 0" in damage.reason


def test_a_crash_before_the_files_are_gone_loses_nothing() -> None:
    log = written()
    before = log.disk.copy()
    checkpoint = log.log.checkpoint()
    plan = log.log.drop_before(LogIndex(10))
    assert len(plan) == 3
    for carried_out in range(4):
        found = LogOnDisk(before.copy(), segment_bytes=SMALL_BYTES, checkpoint=checkpoint)
        for operation in plan[:carried_out]:
            found.disk.perform(operation)
        for again in (found.reopened(), found.reopened(checkpoint=checkpoint)):
            assert again.recovery.damage == ()
            assert again.everything() == expected(1 + 3 * carried_out)


def test_nothing_goes_before_what_follows_it_is_durable() -> None:
    log = written(3)
    appended = log.plan(body(4, 200), term=0)  # begins a segment
    assert len(log.log.segments()) == 2
    assert log.log.drop_before(LogIndex(4)) == ()
    log.save(appended)
    assert len(log.log.drop_before(LogIndex(4))) == 1


def test_the_log_goes_on_after_it_forgot() -> None:
    log = written()
    checkpoint = log.log.checkpoint()
    log.drop_before(7)
    log.append(b"13", term=5, hard_state=HardState(Term(5), 2))
    log.append(b"x", after=9, term=4)
    for found in (log, log.reopened(), log.reopened(checkpoint=checkpoint), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.everything() == [*expected(7, 9), (10, 4, b"x")]
        assert found.log.hard_state == HardState(Term(5), 2)


def test_an_append_that_waits_can_still_be_taken_back_after_retention() -> None:
    log = written()
    appended = log.plan(body(13, 900), term=9)
    log.drop_before(7)
    log.log.abandon(appended.sequence)
    log.log.check()
    assert log.everything() == expected(7)
    log.append(b"x", term=2)
    assert log.reopened().everything() == [*expected(7), (13, 2, b"x")]


def test_all_entries_may_be_gone() -> None:
    log = written(3)
    log.append(body(4, 700), term=0)
    log.append(hard_state=HardState(Term(3), None))
    log.append(hard_state=HardState(Term(4), 1))
    while len(log.log.segments()) < 3:
        log.append(hard_state=HardState(Term(4), 2))
    log.drop_before(5)
    for found in (log, log.reopened(), log.reopened(checkpoint=log.log.checkpoint())):
        assert (found.log.first_index, found.log.last_index, found.log.last_term) == (5, 4, 0)
        assert found.log.hard_state == HardState(Term(4), 2)
        assert found.everything() == []
        found.append(b"5", term=4)
        assert found.everything() == [(5, 4, b"5")]


@pytest.mark.parametrize("is_mark", [True, False])
def test_a_segment_whose_first_group_holds_no_entry_can_become_the_first_one(is_mark: bool) -> None:
    log = LogOnDisk(segment_bytes=1024)
    log.append(body(1, 700))
    if is_mark:
        for operation in log.plan(b"lost").plan[:5]:  # the crash comes when the segment is made and empty
            log.disk.perform(operation)
        log = log.reopened()
        log.mark()
    else:
        while len(log.log.segments()) == 1:
            log.append(hard_state=HardState(Term(1), 2))
    log.append(b"2", term=1)
    assert len(log.log.segments()) == 2
    log.drop_before(2)
    for found in (log, log.reopened(), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.everything() == [(2, 1, b"2")]
