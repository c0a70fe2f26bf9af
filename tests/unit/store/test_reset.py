"""A snapshot from a leader takes the place of all entries: the log begins anew behind it, in one step. Paper: Raft, section 7."""

import pytest

from mq.broker.store.commit_log import Checkpoint, CommitLog
from mq.broker.store.record import SEGMENT_HEADER_BYTES
from mq.core.entry import HardState
from mq.core.errors import DamageError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Remove, Sync, Write, perform
from mq.raft.port import LogStorage
from tests.unit.store.helpers import SMALL_BYTES, LogOnDisk, bodies, body, drive_with, numbered


def written(count: int = 9) -> LogOnDisk:
    """Entries of term 1 in segments of three."""
    log = LogOnDisk(segment_bytes=SMALL_BYTES)
    for number in range(1, count + 1):
        log.append(body(number, 200), term=1, hard_state=HardState(Term(2), 1) if number == count else None)
    return log


def test_the_commit_log_is_a_log_for_raft() -> None:
    log = CommitLog()
    storage: LogStorage = log  # mypy holds the signatures, this test the names
    promised = {name for name in vars(LogStorage) if not name.startswith("_")}
    assert {"reset", "append", "term_at", "drop_before", "hard_state"} <= promised
    assert {name for name in promised if not hasattr(storage, name)} == set()
    assert (storage.first_index, storage.last_index, storage.durable_index, storage.is_damaged) == (1, 0, 0, False)


@pytest.mark.parametrize("count", [0, 1, 3, 9])
@pytest.mark.parametrize("last_index", [1, 5, 20])
def test_after_a_reset_the_log_begins_behind_the_snapshot(count: int, last_index: int) -> None:
    log = written(count)
    checkpoint = log.log.checkpoint()
    log.reset(last_index, 3, own_term=4, vote=2)
    for found in (log, log.reopened(), log.reopened(checkpoint=checkpoint), log.reopened(checkpoint=log.log.checkpoint())):
        assert (found.log.first_index, found.log.last_index, found.log.durable_index) == (last_index + 1, last_index, last_index)
        assert found.log.term_at(LogIndex(last_index)) == found.log.last_term == 3
        assert found.log.term_at(LogIndex(last_index + 1)) is None
        assert found.log.hard_state == HardState(Term(4), 2)
        assert found.everything() == []
        assert len(found.disk.files()) == 1
        found.append(b"next", term=4)
        assert found.everything() == [(last_index + 1, 4, b"next")]
        assert found.reopened().everything() == [(last_index + 1, 4, b"next")]


def test_old_segments_go_only_when_the_new_header_is_durable_the_newest_first() -> None:
    log = written()
    old = [view.file for view in log.log.segments()]
    plan = log.plan_reset(20, 2).plan
    new = log.last_file()
    kinds = [(type(operation), operation.file) for operation in plan]
    begin = [(Write, old[-1]), (Sync, old[-1]), (Create, new), (Write, new), (Sync, new), (Write, new), (Sync, new)]
    assert kinds == begin + [(Remove, file) for file in reversed(old)]


@pytest.mark.parametrize("carried_out", range(11))
def test_a_crash_in_a_reset_leaves_the_log_before_or_the_log_behind_it(carried_out: int) -> None:
    log = written()
    before = log.reopened()
    plan = log.plan_reset(20, 2, vote=3).plan
    assert len(plan) == 10
    perform(before.disk, plan[:carried_out])
    found = before.reopened()
    assert found.recovery.damage == ()
    if carried_out < 4:
        assert found.everything() == numbered(1, 9, term=1, size_bytes=200)
        assert found.log.hard_state == HardState(Term(2), 1)
    else:
        assert (found.log.first_index, found.log.term_at(LogIndex(20)), found.log.hard_state.vote) == (21, 2, 3)
        assert len(found.disk.files()) == 1  # what was left is removed


def test_a_header_of_a_reset_that_is_torn_anywhere_is_as_if_it_was_never_written() -> None:
    log = written()
    before = log.reopened()
    *begin, header = log.plan_reset(20, 2).plan[:4]
    perform(before.disk, tuple(begin))
    assert isinstance(header, Write)
    sizes = range(len(header.data.rstrip(b"\0")))
    assert len(sizes) > 60
    for size in sizes:
        torn = before.reopened()
        perform(torn.disk, (*begin, Write(header.file, 0, header.data[:size])))
        found = torn.reopened()
        assert found.recovery.damage == ()
        assert found.everything() == numbered(1, 9, term=1, size_bytes=200)


@pytest.mark.parametrize("count", [0, 3, 9])
def test_a_damaged_header_of_a_reset_is_reported_and_never_taken_for_an_empty_log(count: int) -> None:
    log = written(count)
    log.reset(20, 2)
    for at in range(SEGMENT_HEADER_BYTES - 4):
        damaged = log.disk.copy()
        damaged.flip(log.last_file(), at)
        before = {name: content[:] for name, content in damaged.data.items()}
        found = LogOnDisk(damaged, segment_bytes=SMALL_BYTES)
        assert [(damage.file, damage.at) for damage in found.recovery.damage] == [(log.last_file(), 0)], at
        assert found.disk.data == before


@pytest.mark.parametrize("removed", [1, 2, 3])
def test_when_the_header_of_a_reset_is_damaged_what_is_left_of_the_old_log_is_not_taken_for_a_log(removed: int) -> None:
    log = written()
    before = log.reopened()
    plan = log.plan_reset(20, 2).plan
    begin, removes = plan[:5], plan[7:]
    assert all(isinstance(operation, Remove) for operation in removes)
    perform(before.disk, begin + removes[:removed])  # no mark: the removals arrived, its bytes did not
    before.disk.flip(log.last_file(), 20)
    found = before.reopened()
    assert found.recovery.damage != ()
    assert found.recovery.repairs == ()


def test_old_segments_that_are_damaged_or_missing_do_not_matter_behind_a_reset() -> None:
    log = written()
    old = log.disk.copy()
    log.reset(20, 2)
    for name in list(old.data)[1:]:
        old.flip(name, 20)
        log.disk.data[name] = old.data[name]
    found = log.reopened()
    assert found.recovery.damage == ()
    assert (found.log.first_index, list(found.disk.files())) == (21, [log.last_file()])
    (last, *_) = [number for number, repair in enumerate(found.recovery.repairs) if isinstance(repair, Remove)]
    assert Sync(log.last_file()) in found.recovery.repairs[:last]


@pytest.mark.parametrize("carried_out", range(3))
def test_a_reset_for_which_there_is_no_room_never_was(carried_out: int) -> None:
    log, expected = written(), numbered(1, 9, term=1, size_bytes=200)
    checkpoint, segments = log.log.checkpoint(), log.log.segments()
    waiting = log.plan(b"ten", term=2)
    reset = log.plan_reset(20, 2)
    behind = log.plan(b"21", term=2)
    assert log.log.checkpoint() == checkpoint
    log.save(waiting)
    perform(log.disk, reset.plan[:carried_out])
    log.log.abandon(behind.sequence)
    log.log.abandon(reset.sequence)
    log.log.check()
    assert log.log.segments()[:2] == segments[:2]
    assert log.log.hard_state == HardState(Term(2), 1)
    assert log.everything() == [*expected, (10, 2, b"ten")]
    log.append(b"eleven", term=2)
    for found in (log, log.reopened(), log.reopened(checkpoint=checkpoint), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.everything() == [*expected, (10, 2, b"ten"), (11, 2, b"eleven")]


def test_nothing_counts_as_durable_and_nothing_is_dropped_while_a_reset_waits() -> None:
    log = written()
    checkpoint = log.log.checkpoint()
    appended = log.plan_reset(20, 2)
    assert (log.log.last_index, log.log.durable_index) == (20, 0)
    assert log.log.drop_before(LogIndex(9)) == ()
    assert log.log.note_durable() == ()
    assert Checkpoint.from_bytes(log.log.checkpoint().to_bytes()) == checkpoint
    later = log.plan(b"21", term=2)
    perform(log.disk, appended.plan + later.plan)
    log.log.synced(later.sequence)
    assert log.log.durable_index == 21
    assert log.reopened(checkpoint=log.log.checkpoint()).everything() == [(21, 2, b"21")]


def test_one_reset_may_follow_another_before_it_is_durable_and_may_go_back() -> None:
    log = written()
    first, second = log.plan_reset(20, 2), log.plan_reset(15, 3)
    log.save(first)
    assert log.reopened().log.first_index == 21
    log.save(second)
    for found in (log, log.reopened()):
        assert (found.log.first_index, found.log.last_term, found.log.durable_index) == (16, 3, 15)


def test_retention_goes_on_behind_a_reset() -> None:
    log = written()
    log.reset(20, 2)
    for number in range(21, 28):
        log.append(body(number, 200), term=2)
    log.drop_before(25)
    assert log.log.first_index > 21
    for found in (log, log.reopened(), log.reopened(checkpoint=log.log.checkpoint())):
        assert found.log.term_at(LogIndex(found.log.first_index - 1)) == 2
        assert found.everything() == numbered(int(log.log.first_index), 27, term=2, size_bytes=200)


@pytest.mark.parametrize("at_read", range(1, 4))
def test_a_read_under_way_ends_with_what_it_found_when_the_log_is_reset(at_read: int) -> None:
    log = written()
    old = log.everything()

    def reset(number: int) -> None:
        if number == at_read:
            log.reset(20, 2)

    steps = log.log.entries(LogIndex(1), LogIndex(9), 1 << 20)
    found = [(int(e.index), int(e.term), e.payload) for e, _ in drive_with(steps, log.disk, reset)]
    assert found == old[: min(3 * at_read, 9)]


def test_a_read_that_found_nothing_before_a_reset_says_that_the_entries_are_not_kept() -> None:
    log = written()

    def reset(number: int) -> None:
        if number == 0:
            log.reset(20, 2)

    with pytest.raises(StateError, match=r"entry 1 is not kept any more: the log begins at 21"):
        drive_with(log.log.entries(LogIndex(1), LogIndex(9), 1 << 20), log.disk, reset)


def test_a_snapshot_of_a_later_term_than_the_nodes_own_is_refused() -> None:
    log = written()
    with pytest.raises(StateError, match="entry 20 of term 3 comes from a later term than 2"):
        log.log.reset(EntryId(Term(3), LogIndex(20)), HardState(Term(2), None))
    assert log.everything() == numbered(1, 9, term=1, size_bytes=200)


def test_a_damaged_log_is_not_reset_since_its_vote_may_be_lost_too() -> None:
    log = written()
    log.mark()
    log.disk.flip("log/00000000000000000000.log", 200)
    found = log.reopened()
    with pytest.raises(DamageError, match="nothing is appended to a damaged log"):
        found.log.reset(EntryId(Term(2), LogIndex(20)), HardState(Term(2), None))


def test_a_segment_that_begins_behind_nothing_and_has_no_header_is_damage() -> None:
    """Only the first segment of all is made with none before it."""
    log = written(3)
    appended = log.plan(body(4, 400))
    perform(log.disk, appended.plan[:3])
    found = log.reopened()
    assert found.recovery.torn is not None  # half made, as its predecessor shows
    del log.disk.data["log/00000000000000000000.log"]
    (damage,) = log.reopened().recovery.damage
    assert damage.file == log.last_file()
    assert bodies(1, 3, 200) == found.payloads()
