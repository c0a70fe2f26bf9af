"""Every way in which a power loss, a cut or a flipped bit can leave a log ends in recovery or in a precise report."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import HardState
from mq.core.errors import DamageError, DiskError, StateError
from mq.core.ids import Term
from mq.core.ports import Plan, Remove, drive, perform
from mq.sim.crash import CrashPoint, CrashPoints
from mq.sim.disk import SimDisk
from tests.sim.log_history import Found, LogHistory, LogState, all_entries, newest_checkpoint, open_log
from tests.sim.wrong_parts import (
    AcksBeforeSync,
    ClaimsTooMuch,
    ForgetsTheVoteInAReset,
    ForgetsToSyncAReset,
    ForgetsToSyncTheSegmentHeader,
    ForgetsWhatStandsBeforeAReset,
    HigherTermWins,
    KeepsWhatWasRefused,
    RemovesBeforeTheRepairsAreDurable,
    RemovesBeforeTheResetIsDurable,
    SyncsBeforeItWrites,
    SyncsTheWrongFile,
)


def payload(number: int, size_bytes: int = 12) -> bytes:
    return (b"%d." % number).ljust(size_bytes, b"abcdefgh"[number % 8 : number % 8 + 1])


def second_life(left: SimDisk, found: Found, state: LogState, segment_bytes: int) -> None:
    """What was recovered goes on: a small append, and it is all found again, after a power loss, too."""
    history = LogHistory(segment_bytes=segment_bytes, disk=left)
    history.log, history.states = found.log, [state]
    term = max(state.hard_state.term, state.entries[-1][0] if state.entries else 0) + 1
    history.append(b"second life", term=term, hard_state=HardState(Term(term), None))
    for survivors in (left, SimDisk.of_contents({n: bytes(f.durable) for n, f in left.durable_names.items()})):
        again = open_log(survivors.copy(), segment_bytes=segment_bytes)
        assert not again.recovery.damage, again.recovery.damage
        assert again.entries[-1:] == history.states[-1].entries[-1:], "what was appended after the recovery is lost"
        assert again.agrees_with(history.states[-1])


WRONG_LOGS = (
    AcksBeforeSync, SyncsBeforeItWrites, SyncsTheWrongFile, ForgetsToSyncTheSegmentHeader, KeepsWhatWasRefused, ClaimsTooMuch,
)  # fmt: skip
WRONG_FOLLOWER_LOGS = (
    HigherTermWins, RemovesBeforeTheResetIsDurable, ForgetsTheVoteInAReset, ForgetsWhatStandsBeforeAReset,
    ForgetsToSyncAReset,
)  # fmt: skip
SECOND_LIVES = 10
"""One of so many torn logs also lives on."""


class Judge:
    """Opens every state that a history hands over, and holds it against what may be found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, history: LogHistory, point: CrashPoint) -> None:
        left = point.disk
        checkpoint = newest_checkpoint(left)
        before = left.contents()
        found = open_log(left, segment_bytes=history.segment_bytes, log_class=history.log_class)
        assert not found.recovery.damage, f"{point.note}: damage was reported where there is none: {found.recovery.damage}"
        agreeing = [state for state in history.possible() if found.agrees_with(state)]
        assert agreeing, (
            f"{point.note}: the log holds entries {found.recovery.first_index} to {found.recovery.last_index} and "
            f"{found.recovery.hard_state}; durable were {len(history.possible()[0].entries)} entries"
        )
        assert found.recovery.first_index <= history.first_index
        if checkpoint is not None:
            quick = open_log(SimDisk.of_contents(before), segment_bytes=history.segment_bytes, checkpoint=checkpoint)
            assert (quick.entries, quick.recovery.hard_state) == (found.entries, found.recovery.hard_state), point.note
            self.counts["opened from a checkpoint"] += 1
        self.counts["torn" if found.recovery.torn else "whole"] += 1
        if any(isinstance(repair, Remove) for repair in found.recovery.repairs) and agreeing[0].reset_to:
            self.counts["reset and with old segments left"] += 1
            if found.recovery.first_index == agreeing[0].reset_to + 1:
                self.crash_again(history, SimDisk.of_contents(before), found)
                self.counts["crashed again in the repairs of a reset"] += 1
        if found.recovery.torn and self.counts["torn"] % SECOND_LIVES == 1:
            self.crash_again(history, SimDisk.of_contents(before), found)
        if not found.recovery.torn or self.counts["torn"] % SECOND_LIVES == 0:
            second_life(left, found, agreeing[0], history.segment_bytes)
            self.counts["second lives"] += 1
        self.count_kept(history, found)

    def crash_again(self, history: LogHistory, torn: SimDisk, found: Found) -> None:
        """A power loss in the middle of the repairs changes nothing that counts."""
        for point in CrashPoints(Random(1), subsets_max=8, every_byte=False).during(torn, found.recovery.repairs):
            again = open_log(point.disk, segment_bytes=history.segment_bytes)
            assert not again.recovery.damage, f"in the repairs, {point.note}: {again.recovery.damage}"
            assert (again.entries, again.recovery.hard_state) == (found.entries, found.recovery.hard_state), point.note
            self.counts["crashed again in the repairs"] += 1

    def count_kept(self, history: LogHistory, found: Found) -> None:
        self.counts["durable only" if found.agrees_with(history.possible()[0]) else "more than durable"] += 1


# ---------------------------------------------------------------- every crash point of a history


@pytest.mark.parametrize(
    ("every_byte", "states_min"), [(False, 200), pytest.param(True, 8000, marks=pytest.mark.slow)], ids=["sectors", "bytes"]
)
def test_every_crash_point_of_a_history_keeps_what_was_synced_and_invents_nothing(every_byte: bool, states_min: int) -> None:
    judge = Judge()
    points = CrashPoints(Random(3), subsets_max=64, every_byte=every_byte)
    history = LogHistory(segment_bytes=1536, points=points, on_state=judge)
    write_history(history)
    assert len(history.log.segments()) >= 3
    assert points.states >= states_min
    assert points.exhaustive > 50
    assert judge.counts["torn"] > 50
    assert judge.counts["more than durable"] >= 20
    assert judge.counts["opened from a checkpoint"] > 100
    assert judge.counts["second lives"] > 50
    assert judge.counts["crashed again in the repairs"] > 50
    print(dict(judge.counts), points.states, "states", points.repeated, "repeated", points.sampled, "moments sampled")


def write_history(history: LogHistory) -> None:
    """Everything that a log does."""
    history.append(payload(1), payload(2))
    history.note_durable()
    history.append(payload(3, 700))  # over a sector's border
    history.append(hard_state=HardState(Term(1), 2))
    history.append(payload(4, 300), payload(5), term=1)
    history.append_on_full_disk(payload(6, 900))  # the group that ends the segment is there, the segment behind it is not
    history.append(payload(6))  # over the end group
    history.append(payload(7, 900), term=1, hard_state=HardState(Term(1), 1))  # rolls
    history.snapshot()
    own_term = HardState(Term(2), None)
    history.append(payload(8), payload(9), payload(10), after=4, term=2, hard_state=own_term)  # supersedes, across segments
    history.note_durable()
    first, second = history.plan_append(payload(11), term=2), history.plan_append(payload(12, 600), term=2)
    history.carry_out(first)
    history.carry_out(second)  # was planned before the first was durable
    history.append(payload(13, 1200), term=3, hard_state=HardState(Term(3), None))  # rolls
    history.append(payload(14), after=6, term=4, hard_state=HardState(Term(4), None))
    history.snapshot()
    history.append(payload(15, 1000), term=4)  # rolls
    history.append(payload(16, 1000), term=4)  # rolls
    history.snapshot()
    history.drop_before(8)
    history.append(payload(17), term=4)
    history.append(payload(18, 2000), term=5, hard_state=HardState(Term(5), 1))  # a segment of its own size
    history.note_durable()


def write_follower_history(history: LogHistory) -> None:
    """What befalls a follower: leaders come and go and replace its end, also by lower terms, and send it snapshots."""
    history.append(payload(1), payload(2), term=1, hard_state=HardState(Term(1), 1))
    history.append(payload(3), payload(4, 300), term=3, hard_state=HardState(Term(3), 5))
    history.note_durable()
    history.append(payload(23), after=2, term=2, hard_state=HardState(Term(4), 1))  # Paper: Raft, figure 8, (c)
    history.append(payload(24, 500), payload(25, 500), term=2)
    history.append(payload(6), payload(7), term=4)  # rolls
    history.snapshot()
    history.append(payload(34), after=3, term=3, hard_state=HardState(Term(5), 3))  # goes back behind the segment's head
    history.append(payload(35, 900), term=5)  # rolls
    history.drop_before(4)
    history.append(payload(36), after=4, term=4)  # lower again, over a term that is higher
    waiting = [history.plan_append(payload(37), term=5), history.plan_reset(9, 5, HardState(Term(6), 2))]
    waiting.append(history.plan_append(payload(10), term=6))
    for appended in waiting:
        history.carry_out(appended)  # was planned before the one before it was durable
    history.snapshot()
    history.reset_on_full_disk(12, 6, HardState(Term(6), 2))
    history.append(payload(11), term=6)  # begins the segment that the reset was to begin
    history.append(payload(12, 1200), term=6)  # rolls
    history.append(payload(13, 1200), term=6)  # rolls: three files go with the next reset
    history.note_durable()
    history.reset(20, 7, HardState(Term(8), None))
    history.reset(30, 8, HardState(Term(8), 1))
    history.snapshot()
    history.append(payload(31), term=8)


@dataclass
class KilledHistory(LogHistory):
    """After each operation the process is killed; opened again, the power fails in the middle of the repairs or behind them."""

    kills: int = 0
    losses: int = 0

    def perform(self, plan: Plan) -> None:
        for operation in plan:
            self.disk.perform(operation)
            self.kills += 1
            self._open_after_a_kill(self.disk.copy())

    def _open_after_a_kill(self, left: SimDisk) -> None:
        log = self.log_class(segment_bytes=self.segment_bytes)
        recovery = drive(log.recover(left.files()), left)
        assert not recovery.damage, f"damage was reported where there is none: {recovery.damage}"
        for point in CrashPoints(Random(2), subsets_max=8, every_byte=False).during(left, recovery.repairs):
            self._judge(point, self.possible())
        found = Found(log, recovery, tuple((int(e.term), e.payload) for e in all_entries(log, left)))
        # From now on it is durable, whatever was under way.
        agreeing = [state for state in self.possible() if found.agrees_with(state)]
        assert agreeing
        for point in CrashPoints(Random(2), subsets_max=8).at(left, "behind the repairs"):
            self._judge(point, agreeing)

    def _judge(self, point: CrashPoint, possible: Sequence[LogState]) -> None:
        self.losses += 1
        found = open_log(point.disk, segment_bytes=self.segment_bytes)
        assert not found.recovery.damage, f"{point.note}: {found.recovery.damage}"
        assert any(found.agrees_with(state) for state in possible), f"{point.note}: {found.recovery}"


def test_what_is_found_after_a_kill_outlives_a_power_loss_in_the_repairs_and_behind_them() -> None:
    history = KilledHistory(segment_bytes=1536)
    write_follower_history(history)
    assert history.kills > 50
    assert history.losses > 200
    print(history.kills, "kills", history.losses, "power losses")


def test_kills_and_power_losses_kill_a_log_that_removes_before_its_repairs_are_durable() -> None:
    with pytest.raises((AssertionError, StateError, DamageError)) as caught:
        write_follower_history(KilledHistory(segment_bytes=1536, log_class=RemovesBeforeTheRepairsAreDurable))
    print(str(caught.value).splitlines()[0])


@pytest.mark.parametrize(
    ("every_byte", "states_min"), [(False, 200), pytest.param(True, 3000, marks=pytest.mark.slow)], ids=["sectors", "bytes"]
)
def test_every_crash_point_of_a_followers_log_leaves_it_as_it_was_before_or_after_each_step(
    every_byte: bool, states_min: int
) -> None:
    judge = Judge()
    points = CrashPoints(Random(4), subsets_max=64, every_byte=every_byte)
    write_follower_history(LogHistory(segment_bytes=1536, points=points, on_state=judge))
    assert points.states >= states_min
    assert judge.counts["torn"] > 50
    assert judge.counts["more than durable"] >= 20
    assert judge.counts["opened from a checkpoint"] > 100
    assert judge.counts["second lives"] > 50
    assert judge.counts["reset and with old segments left"] >= 5
    assert judge.counts["crashed again in the repairs of a reset"] >= 5
    print(dict(judge.counts), points.states, "states", points.repeated, "repeated", points.sampled, "moments sampled")


@pytest.mark.slow
def test_a_write_that_stops_at_any_byte_of_a_log_of_200_records_loses_only_itself() -> None:
    judge = Judge()
    points = CrashPoints(Random(5), subsets_max=8)
    history = LogHistory(segment_bytes=4096, points=points, on_state=judge)
    write_200_records(history)
    assert len(history.states[-1].entries) >= 200
    assert points.states > 4000
    assert judge.counts["torn"] > 4000
    assert judge.counts["second lives"] > 400
    print(dict(judge.counts), points.states, "states")


def write_200_records(history: LogHistory) -> None:
    """Small groups of 1 to 5 records in several segments, with hard states and superseding appends in between."""
    rng, number, term = Random(8), 0, 1
    while len(history.states[-1].entries) < 200:
        payloads = []
        for _ in range(rng.randint(1, 5)):
            number += 1
            payloads.append(payload(number, rng.randint(0, 9)))
        length = len(history.states[-1].entries)
        if rng.random() < 0.1 and length > 5:
            term += 1
            own_term = HardState(Term(term), None)
            history.append(*payloads, after=length - rng.randint(1, 5), term=term, hard_state=own_term)
        elif rng.random() < 0.1:
            history.append(*payloads, term=term, hard_state=HardState(Term(term), rng.choice((None, 1, 2))))
        else:
            history.append(*payloads, term=term)
        if rng.random() < 0.3:
            history.note_durable()
    history.note_durable()


@pytest.mark.parametrize("synced_groups", [0, 1, 3])
def test_what_a_log_recovers_after_a_failed_sync_is_durable_from_then_on(synced_groups: int) -> None:
    """The system took the pages for clean; the process was started anew, read them, and built on them."""
    history = LogHistory(segment_bytes=1024)
    for number in range(synced_groups):
        history.append(payload(number, 200))
    appended = history.plan_append(payload(9, 300), payload(10))
    history.disk.failing_syncs = 1
    with pytest.raises(DiskError):
        perform(history.disk, appended.plan)
    assert any(found.doubtful for found in history.disk.names.values())
    opened = open_log(history.disk, segment_bytes=1024)
    life = LogHistory(segment_bytes=1024, disk=history.disk)
    life.log, life.states = opened.log, [LogState(opened.entries, opened.recovery.hard_state)]
    for number in range(20, 24):
        life.append(payload(number, 150))
    for point in CrashPoints(Random(1)).at(life.disk, "later"):
        found = open_log(point.disk, segment_bytes=1024)
        assert not found.recovery.damage, f"{point.note}: {found.recovery.damage}"
        assert found.agrees_with(life.states[-1])


@pytest.mark.parametrize("wrong", WRONG_FOLLOWER_LOGS, ids=lambda wrong: wrong.__name__)
def test_the_crash_points_kill_a_wrong_followers_log(wrong: type[CommitLog]) -> None:
    write_follower_history(LogHistory(segment_bytes=1536, log_class=wrong))  # works as long as nothing goes wrong
    points = CrashPoints(Random(4), subsets_max=64, every_byte=False)
    with pytest.raises((AssertionError, StateError, DamageError)) as caught:
        write_follower_history(LogHistory(segment_bytes=1536, points=points, on_state=Judge(), log_class=wrong))
    print(str(caught.value).splitlines()[0])


@pytest.mark.parametrize("wrong", WRONG_LOGS, ids=lambda wrong: wrong.__name__)
def test_the_crash_points_kill_a_wrong_log(wrong: type[CommitLog]) -> None:
    points = CrashPoints(Random(3), subsets_max=64, every_byte=False)
    with pytest.raises((AssertionError, StateError, DamageError)):
        write_history(LogHistory(segment_bytes=1536, points=points, on_state=Judge(), log_class=wrong))


# ---------------------------------------------------------------- cut files


@pytest.mark.slow
def test_a_log_of_200_records_whose_files_are_cut_at_any_byte_is_reported_precisely() -> None:
    history = LogHistory(segment_bytes=4096)
    write_200_records(history)
    reported = recovered = empty = 0
    for view in history.log.segments():
        for size_bytes in range(view.size_bytes + 1):
            cut = history.disk.copy()
            cut.cut_short(view.file, size_bytes)
            before = cut.contents()
            found = open_log(cut, segment_bytes=4096)
            if size_bytes == view.size_bytes:
                assert found.agrees_with(history.states[-1])
                recovered += 1
            elif size_bytes == 0 and not view.is_sealed:
                # What a crash in the middle of making the file leaves: nothing in the file tells the two apart.
                assert found.recovery.damage or found.recovery.last_index < view.first_index
                empty += 1
            else:
                assert found.recovery.damage, f"{view.file} cut to {size_bytes} bytes was taken for good"
                damage = found.recovery.damage[0]
                assert damage.file == view.file
                assert damage.at <= size_bytes
                assert cut.contents() == before, "a damaged log was changed"
                reported += 1
    assert reported == sum(view.size_bytes for view in history.log.segments()) - 1
    assert (recovered, empty) == (len(history.log.segments()), 1)


def test_a_cut_log_is_reported_when_a_snapshot_knows_better() -> None:
    history = LogHistory()
    history.append(payload(1), payload(2))
    history.snapshot()
    (view,) = history.log.segments()
    for size_bytes in range(view.size_bytes):
        cut = history.disk.copy()
        cut.cut_short(view.file, size_bytes)
        found = open_log(cut, checkpoint=newest_checkpoint(cut))
        assert found.recovery.damage, size_bytes


# ---------------------------------------------------------------- flipped bits


def small_log() -> LogHistory:
    """Two segments in 1.5 KiB, at rest: the mark that the host writes when it has nothing to do stands at the end."""
    history = LogHistory(segment_bytes=768)
    for number in range(1, 13, 2):
        history.append(payload(number), payload(number + 1), term=1 + number // 5)
    history.append(hard_state=HardState(Term(9), 3))
    history.append(payload(20), after=11, term=9)
    history.note_durable()
    assert len(history.log.segments()) == 2
    return history


def every_flip(history: LogHistory, judge: Callable[[str, int, SimDisk], str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for view in history.log.segments():
        for bit in range(view.size_bytes * 8):
            flipped = history.disk.copy()
            flipped.flip_bit(view.file, bit // 8, bit % 8)
            counts[judge(view.file, bit // 8, flipped)] += 1
    return counts


@pytest.mark.slow
def test_every_flipped_bit_of_a_small_log_is_harmless_or_reported_precisely() -> None:
    history = small_log()

    def judge(file: str, at: int, flipped: SimDisk) -> str:
        before = flipped.contents()
        found = open_log(flipped, segment_bytes=768)
        if not found.recovery.damage:
            assert found.agrees_with(history.states[-1]), f"{file}, byte {at}: wrong data, or loss without a report"
            return "torn" if found.recovery.torn else "harmless"
        damage = found.recovery.damage[0]
        assert damage.file == file
        assert damage.at <= at < damage.at + 200, f"byte {at} was flipped, byte {damage.at} reported"
        assert flipped.contents() == before, "a damaged log was changed"
        with pytest.raises(DamageError):
            found.log.append(found.log.last_index, (), HardState(Term(99), None))
        return "reported"

    counts = every_flip(history, judge)
    written = sum(view.written_bytes for view in history.log.segments())
    assert counts.total() == sum(view.size_bytes for view in history.log.segments()) * 8
    # The last mark may be lost, and behind the last group there is nothing to be damaged.
    assert counts["reported"] > (written - 200) * 8
    assert counts["torn"] > 0
    print(dict(counts))


@pytest.mark.slow
def test_every_flipped_bit_that_a_quick_opening_passes_over_is_found_when_it_is_read() -> None:
    history = small_log()
    checkpoint = history.log.checkpoint()

    def judge(file: str, at: int, flipped: SimDisk) -> str:
        try:
            found = open_log(flipped, segment_bytes=768, checkpoint=checkpoint)
        except DamageError as error:
            return "found by reading" if error.file == file and error.at <= at else f"wrong place: {error}"
        except StateError as error:
            raise AssertionError(f"{file}, byte {at}: {error}") from error
        if found.recovery.damage:
            return "reported"
        assert found.agrees_with(history.states[-1]), f"{file}, byte {at}: wrong data, or loss without a report"
        return "harmless"

    counts = every_flip(history, judge)
    assert set(counts) == {"found by reading", "reported", "harmless"}
    assert counts["found by reading"] > 1000
    print(dict(counts))
