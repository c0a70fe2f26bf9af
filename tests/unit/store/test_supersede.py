"""A later group with a lower index and a higher term supersedes what follows it. Paper: Raft, section 5.3."""

import pytest

from mq.core.entry import HardState
from mq.core.errors import StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import perform
from tests.unit.store.helpers import NO_HARD_STATE, SMALL_BYTES, LogOnDisk, bodies, body, numbered


def written(segment_bytes: int = SMALL_BYTES) -> LogOnDisk:
    """Entries 1 to 9 of term 1, in three segments when these are small."""
    log = LogOnDisk(segment_bytes=segment_bytes)
    for number in range(1, 10):
        log.append(body(number, 200), term=1)
    return log


BEFORE = numbered(1, 9, term=1, size_bytes=200)


@pytest.mark.parametrize("segment_bytes", [SMALL_BYTES, 8192])
@pytest.mark.parametrize("after", range(10))
def test_the_later_group_wins_now_and_after_every_opening(segment_bytes: int, after: int) -> None:
    log = written(segment_bytes)
    checkpoint = log.log.checkpoint()
    log.append(b"a", b"b", after=after, term=2)
    expected = [*BEFORE[:after], (after + 1, 2, b"a"), (after + 2, 2, b"b")]
    assert log.everything() == expected
    assert (log.log.last_index, log.log.last_term, log.log.durable_index) == (after + 2, 2, after + 2)
    assert log.log.term_at(LogIndex(after + 3)) is None
    for found in (log.reopened(), log.reopened(checkpoint=checkpoint), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.everything() == expected
        assert found.recovery.damage == ()
        assert found.outline() == log.outline()


def test_superseding_may_begin_a_new_segment() -> None:
    log = written()
    count = len(log.log.segments())
    log.append(body(5, 900), after=4, term=2)
    assert len(log.log.segments()) == count + 1
    log.append(body(6, 900), term=2)
    expected = [*BEFORE[:4], (5, 2, body(5, 900)), (6, 2, body(6, 900))]
    assert log.everything() == expected
    assert log.reopened().everything() == expected
    views = log.log.segments()
    assert [(v.first_index, v.last_index) for v in views if v.first_index <= v.last_index] == [(1, 3), (4, 4), (5, 5), (6, 6)]


def test_superseding_again_and_again_leaves_only_what_came_last() -> None:
    log = written()
    log.append(*bodies(101, 104, 50), after=6, term=2)  # 7 to 10
    log.append(b"x", after=8, term=3)  # 9
    log.append(b"y", b"z", after=3, term=5)  # 4, 5
    log.append(b"w", term=5)  # 6
    log.append(b"v", after=5, term=7)  # 6
    expected = [*BEFORE[:3], (4, 5, b"y"), (5, 5, b"z"), (6, 7, b"v")]
    assert log.everything() == expected
    assert log.reopened().everything() == expected
    assert [log.log.term_at(LogIndex(n)) for n in range(8)] == [0, 1, 1, 1, 5, 5, 7, None]


def test_an_entry_never_takes_its_own_place() -> None:
    log = written()
    log.append(b"x", b"y", after=5, term=3)
    for payloads, after in (([b"x"], 5), ([b"y", b"z"], 6)):
        with pytest.raises(StateError, match=f"entry {after + 1} of term 3 is in the log already"):
            log.plan(*payloads, after=after, term=3)
    with pytest.raises(StateError, match="entry 7 of term 2 cannot stand behind 6 of term 3"):
        log.plan(b"y", after=6, term=2)
    assert log.log.last_index == 7


@pytest.mark.parametrize("after", range(2, 9))
@pytest.mark.parametrize("segment_bytes", [SMALL_BYTES, 8192])
def test_an_entry_of_a_lower_term_takes_the_place_of_one_of_a_higher_term(segment_bytes: int, after: int) -> None:
    """Paper: Raft, figure 8, (c): S1 is leader again, in term 4, and passes on its entry of term 2 to who has one of term 3."""
    log = LogOnDisk(segment_bytes=segment_bytes)
    log.append(*bodies(1, 2, 200), term=1, hard_state=HardState(Term(1), 5))
    for number in range(3, 10):
        log.append(body(number, 200), term=3, hard_state=HardState(Term(3), 5))
    checkpoint = log.log.checkpoint()
    in_term = 2 if after == 2 else 3
    log.append(b"of term 2", after=2, term=2, hard_state=HardState(Term(4), 1))
    if after > 2:
        log.append(*bodies(4, after, 200), b"of term 4", term=4)
    expected = [*numbered(1, 2, term=1, size_bytes=200), (3, 2, b"of term 2")]
    expected += [] if in_term == 2 else [*numbered(4, after, term=4, size_bytes=200), (after + 1, 4, b"of term 4")]
    assert log.everything() == expected
    for found in (log.reopened(), log.reopened(checkpoint=checkpoint), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.recovery.damage == ()
        assert found.everything() == expected
        assert found.log.hard_state == HardState(Term(4), 1)


def test_an_entry_comes_back_to_its_place_after_another_one_stood_there() -> None:
    log = written()
    log.append(b"two", after=4, term=2, hard_state=HardState(Term(2), 1))
    log.append(b"three", after=4, term=3, hard_state=HardState(Term(3), 2))
    log.append(b"two", after=4, term=2, hard_state=HardState(Term(4), None))
    for found in (log, log.reopened()):
        assert found.everything() == [*BEFORE[:4], (5, 2, b"two")]


def test_no_entry_comes_from_a_later_term_than_the_nodes_own() -> None:
    log = written()  # the own term is 0: there is no group
    log.append(b"x", term=2, hard_state=HardState(Term(2), 1))
    before = log.log.end_position
    with pytest.raises(StateError, match="entry 11 of term 3 comes from a later term than the node's own, 2"):
        log.plan(b"y", term=3)
    with pytest.raises(StateError, match="later term than the node's own, 2"):
        log.plan(b"y", term=3, hard_state=HardState(Term(2), None))
    assert log.log.end_position == before
    log.append(b"y", term=3, hard_state=HardState(Term(3), None))
    assert log.reopened().everything()[-1] == (11, 3, b"y")


def test_entries_that_are_being_superseded_do_not_count_as_durable() -> None:
    log = written()
    first = log.plan(b"ten", term=1)
    later = log.plan(b"x", after=5, term=2)
    assert log.log.durable_index == 5
    log.save(first)
    assert log.log.durable_index == 5
    log.save(later)
    assert log.log.durable_index == 6


@pytest.mark.parametrize("carried_out", [0, 1])
def test_when_the_superseding_group_is_lost_the_old_entries_are_still_there(carried_out: int) -> None:
    log = written(8192)
    appended = log.plan(b"a", b"b", after=5, term=2)
    perform(log.disk, appended.plan[:carried_out])
    if carried_out:
        log.flip(appended.places[-1].position)  # torn
    found = log.reopened()
    assert found.everything() == BEFORE
    assert (found.recovery.torn is not None) == bool(carried_out)


def test_a_checkpoint_knows_nothing_of_what_waits() -> None:
    log = written()
    before = log.log.checkpoint()
    appended = [
        log.plan(b"a", b"b", after=5, term=2, hard_state=HardState(Term(2), 1)),
        log.plan(body(8, 900), term=2),
        log.plan(b"c", after=2, term=3, hard_state=HardState(Term(3), None)),
        log.plan(hard_state=HardState(Term(4), None)),
    ]
    assert log.log.checkpoint() == before
    assert log.reopened(checkpoint=log.log.checkpoint()).everything() == BEFORE
    assert log.reopened(checkpoint=log.log.checkpoint()).recovery.hard_state == NO_HARD_STATE
    for one in appended:
        log.save(one)
        found, full = log.reopened(checkpoint=log.log.checkpoint()), log.reopened()
        assert found.everything() == full.everything()
        assert found.recovery.hard_state == full.recovery.hard_state
    assert full.recovery.hard_state == HardState(Term(4), None)


def test_retention_waits_until_it_is_certain_what_is_superseded() -> None:
    log = written()
    appended = log.plan(b"x", after=3, term=2)
    count = len(log.disk.data)
    log.drop_before(4)
    assert len(log.disk.data) == count
    assert log.reopened().everything() == BEFORE
    log.save(appended)
    log.drop_before(4)
    assert len(log.disk.data) < count
    assert log.everything() == [(4, 2, b"x")]
    assert log.reopened().everything() == [(4, 2, b"x")]


def test_an_old_part_that_opening_passed_over_is_read_without_what_was_superseded() -> None:
    log = written()
    log.append(*bodies(101, 103, 200), after=4, term=2)
    log.append(*bodies(201, 202, 200), after=5, term=3)
    checkpoint = log.log.checkpoint()
    log.append(b"x", after=6, term=4)
    expected = [*BEFORE[:4], (5, 2, body(101, 200)), (6, 3, body(201, 200)), (7, 4, b"x")]
    found = log.reopened(checkpoint=checkpoint)
    for first in range(7, 0, -1):  # the newest first: each part is mapped when it is needed
        assert found.entries(first, 7) == expected[first - 1 :]
        found.log.check()
