"""Ring 1, third part: opening a log after a crash, marks, a full disk, retention."""

import itertools

from labs.grader.suite import Run
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body, broken, open_log, read_all
from labs.stage1_single_node.lab1a_commit_log.sentences import SENTENCES, sentence
from mq.broker.store.checkpoint import Checkpoint
from mq.core.entry import HardState
from mq.core.errors import DamageError, DiskError, DiskFullError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Plan, Remove, Sync, Write
from mq.sim.crash import Survival, after_power_loss, unsynced_files
from mq.sim.disk import SECTOR_BYTES, SimDisk

__all__ = ["SENTENCES"]


def _flipped(disk: SimDisk, payload: bytes) -> tuple[SimDisk, str, int]:
    """A copy in which one bit in the middle of a payload has changed; where that is."""
    other = disk.copy()
    for file, content in disk.contents().items():
        at = content.find(payload)
        if at >= 0:
            other.flip_bit(file, at + len(payload) // 2, 3)
            return other, file, at + len(payload) // 2
    raise broken(1, expected="the payload is on the disk as it came", found="no file holds it")


def _half_written(bench: Bench) -> SimDisk:
    """What a power loss leaves of what is not synced when the first half of it arrived."""
    sectors: dict[tuple[int, int], int] = {}
    torn = None
    for found, pieces in unsynced_files(bench.disk):
        left = sum(len(piece.data) for piece in pieces) // 2
        for piece in pieces:
            if left < len(piece.data):
                torn = ((found.number, piece.sector), left)
                break
            left -= len(piece.data)
            sectors[found.number, piece.sector] = sectors.get((found.number, piece.sector), 0) + 1
    return after_power_loss(bench.disk, Survival(sectors, torn))


def _verbs(plan: Plan) -> str:
    return ", ".join(type(operation).__name__ for operation in plan)


def _up_to_the_last_sync(plan: Plan) -> Plan:
    """What is carried out when the crash comes just before a plan is done."""
    return plan[: max((number for number, operation in enumerate(plan) if isinstance(operation, Sync)), default=len(plan))]


@sentence("1.17", 8, points=1)
def whole_groups_before_a_damage_are_in_the_log_and_one_that_does_not_continue_it_is_damage(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 7 over several segments, of terms 1 to 7, with votes")
    for number in range(1, 8):
        bench.append(body(number, 300), term=number, hard_state=HardState(Term(number), number % 3))
    *_, before, newest = bench.segments(3)
    last = before.last_index
    disk, entries = bench.disk.copy(), bench.now.entries[:last]
    if newest.file not in disk.files():
        raise broken(3, expected=f"the newest segment is {newest.file}, as `segments` says", found="there is no such file")
    bench.run.tell(f"a bit in the header of the newest segment, {newest.file}, changes; open the log")
    disk.flip_bit(newest.file, 20, 3)
    found = open_log(bench.make, disk, bench.segment_bytes)
    if not found.recovery.damage or found.recovery.damage[0].file != newest.file:
        told = found.recovery.damage or "none"
        raise broken(8, expected=f"the damage of {newest.file} is reported", found=f"`recover` reports {told}")
    shown = (found.log.last_index, found.log.term_at(LogIndex(last)), found.log.hard_state)
    if shown != (wanted := (last, last, HardState(Term(last), last % 3))):
        expected = f"before the damage the last entry, its term and the hard state are {wanted}"
        raise broken(6, expected=expected, found=f"the log shows {shown}")
    if [(int(stored.entry.term), stored.entry.payload) for stored in read_all(found.log, disk)] != list(entries):
        raise broken(6, expected=f"entries 1 to {last} before the damage can be read", found="they are other ones")
    _a_segment_of_another_log(bench)


def _a_segment_of_another_log(bench: Bench) -> None:
    bench.run.tell("the second segment is changed for that of another log, in which it begins with a later entry")
    other = Bench(bench.make, Run(), bench.segment_bytes)
    for number in range(1, 20):
        other.append(body(number, 100))
    file = bench.segments(2)[1].file
    disk = SimDisk.of_contents({**bench.disk.contents(), file: other.disk.contents()[file]})
    missing = f"entries are missing before those of {file}: damage"
    try:
        found = open_log(bench.make, disk, bench.segment_bytes)
    except (DamageError, StateError) as error:
        told = f"`recover` reports none, and then entries cannot be read: {error}"
        raise broken(8, expected=missing, found=told) from error
    if not found.recovery.damage:
        raise broken(8, expected=missing, found=f"the log was opened with {found}")


@sentence("1.18", 9, points=1)
def what_is_kept_of_a_full_segment_whose_sync_failed_is_written_once_more(bench: Bench) -> None:
    bench.run.tell("append entry 1, wait until it is durable")
    bench.append(body(1, 300))
    bench.run.tell("append entry 2, and entry 3, which begins a segment; one sync of the full segment is to serve both")
    small, large = bench.plan(body(2, 200)).plan, bench.plan(body(3, 700)).plan
    up_to_a_sync = next((number for number, one in enumerate(large) if isinstance(one, Sync)), len(large))
    bench.perform((*(one for one in small if not isinstance(one, Sync)), *large[:up_to_a_sync]))
    bench.run.tell("that sync fails: the system takes its pages for clean; the process ends, and the log is opened")
    bench.fail_sync()
    try:
        bench.perform(large[up_to_a_sync : up_to_a_sync + 1])
    except DiskError:
        bench.reopened(bench.disk)
    bench.run.tell("the repairs are carried out; then the power is lost")
    kept, left = bench.disk.contents(), after_power_loss(bench.disk, Survival())
    lost = next((file for file, content in kept.items() if left.contents().get(file) != content), None)
    if lost is not None:
        raise broken(
            9,
            expected=f"what the log kept of {lost} is durable when its repairs are carried out",
            found="a loss of power takes it away: a sync alone saves nothing that the system takes for saved",
            disks=[("after it was opened", bench.disk), ("after the power was lost", left)],
        )


@sentence("1.19", 8)
def damage_below_the_durable_end_is_reported_and_nothing_is_changed(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 5; a bit of entry 2 changes on the disk; open the log anew")
    for number in range(1, 6):
        bench.append(body(number, 80))
    disk, file, at = _flipped(bench.disk, body(2, 80))
    before = disk.contents()
    found = open_log(bench.make, disk, bench.segment_bytes)
    if not found.recovery.damage:
        raise broken(
            8,
            expected="entries 3 to 5 behind it prove that entry 2 was synced: damage",
            found=f"`recover` reports none; the log holds {found}",
            disks=[("a bit of entry 2 has changed", SimDisk.of_contents(before)), ("after it was opened", disk)],
        )
    damage = found.recovery.damage[0]
    if damage.file != file or not damage.at <= at < damage.at + 2 * SECTOR_BYTES:
        raise broken(
            8, expected=f"the damage is around byte {at} of {file}", found=f"`recover` says {damage.file}, byte {damage.at}"
        )
    if disk.contents() != before or not found.log.is_damaged:
        raise broken(8, expected="a damaged log is left as it is", found="a file has changed, or `is_damaged` is not set")
    try:
        found.log.append(found.log.last_index, (), HardState(Term(9), None))
    except DamageError:
        return
    raise broken(8, expected="nothing is appended to a damaged log: DamageError", found="`append` took it")


@sentence("1.20", 8, points=1)
def damage_in_an_earlier_segment_is_reported(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 6 over several segments; the last group of the first segment is damaged")
    for number in range(1, 7):
        bench.append(body(number, 300))
    first = bench.segments(2)[0]
    disk, file, _ = _flipped(bench.disk, body(first.last_index, 300))
    found = open_log(bench.make, disk, bench.segment_bytes)
    if not found.recovery.damage or found.recovery.damage[0].file != file:
        raise broken(
            8,
            expected="a later segment proves that all of the first one was synced: damage",
            found=f"`recover` reports {found.recovery.damage or 'none'}; the log holds {found}",
        )


@sentence("1.21", 7)
def a_torn_write_is_cut_and_what_was_synced_stays(bench: Bench) -> None:
    bench.run.tell("append entries 1 and 2, wait until they are durable")
    bench.append(body(1), body(2))
    _tear(bench, 3, 600)
    bench.run.tell("append entries 3 to 6, one by one")
    for number in range(3, 7):
        bench.append(body(number))
    _tear(bench, 7, 300)


def _tear(bench: Bench, number: int, size_bytes: int) -> None:
    """number: of an entry of which only a half arrives."""
    bench.run.tell(f"append entry {number} of {size_bytes} bytes; the power is lost while it is written, half of it arrived")
    bench.perform(_up_to_the_last_sync(bench.plan(body(number, size_bytes)).plan))
    disk = _half_written(bench)
    left = {file: len(content.rstrip(b"\0")) for file, content in disk.contents().items()}
    torn = open_log(bench.make, disk.copy(), bench.segment_bytes).recovery.torn
    if torn is None or torn.at + torn.size_bytes != left.get(torn.file):
        raise broken(
            7, expected=f"what is torn ends at the last byte that is not zero: {left}", found=f"`Recovery.torn` is {torn}"
        )
    if (last := len(bench.reopened(disk).entries)) != number - 1:
        raise broken(7, expected=f"half a group is no group: the log ends with entry {number - 1}", found=f"it ends with {last}")
    if any(body(number, size_bytes)[:40] in content for content in bench.disk.contents().values()):
        raise broken(
            7,
            expected="the bytes of the torn write are zero again",
            found="they are still there, and may come back to life",
            disks=[("after it was opened", bench.disk)],
        )


@sentence("1.22", 6)
def a_log_that_is_opened_again_holds_what_was_synced(bench: Bench) -> None:
    bench.run.tell("open an empty folder")
    bench.reopened(bench.disk)
    bench.run.tell("append nine entries over several segments, term 2 and vote 1 with the last; open the log anew")
    for number in range(1, 9):
        bench.append(body(number, 200))
    bench.append(body(9), term=2, hard_state=HardState(Term(2), 1))
    before = bench.log.segments()
    bench.reopened(bench.disk.copy(), why=" again")
    if (again := bench.log.segments()) != before:
        at = next((n for n, pair in enumerate(zip(before, again, strict=False)) if pair[0] != pair[1]), len(again))
        raise broken(6, expected=f"`segments` says again {before[at : at + 1]}", found=f"it says {again[at : at + 1]}")
    bench.run.tell("append entry 10, open the log anew")
    bench.append(body(10))
    if (torn := open_log(bench.make, bench.disk.copy(), bench.segment_bytes).recovery.torn) is not None:
        raise broken(7, expected="nothing was torn: `Recovery.torn` is None", found=f"it is {torn}")
    bench.reopened(bench.disk.copy(), why=" again")


@sentence("1.23", 10, points=1)
def the_later_group_wins_also_when_the_log_is_opened_again(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 6 of terms 1 and 3")
    bench.append(body(1), body(2), body(3), term=1, hard_state=HardState(Term(1), None))
    bench.append(body(4), body(5), body(6, 400), term=3, hard_state=HardState(Term(3), None))
    bench.run.tell("append another entry 4, of term 2, which is lower than what it takes the place of; open the log anew")
    bench.append(body(40, 500), after=3, term=2, hard_state=HardState(Term(4), None))
    bench.reopened(bench.disk.copy(), why=" again")


@sentence("1.24", 9, points=1)
def what_a_killed_process_wrote_is_durable_after_the_next_opening(bench: Bench) -> None:
    bench.run.tell("append entry 1; append entry 2, of which the write is done and not the sync; the process is killed")
    bench.append(body(1))
    bench.perform(_up_to_the_last_sync(bench.plan(body(2, 300)).plan))
    bench.reopened(bench.disk)
    bench.run.tell("the log was opened, and its repairs were carried out; then the power is lost")
    bench.reopened(after_power_loss(bench.disk, Survival()), why=", as the opening before found them")


@sentence("1.25", 9, points=1)
def what_is_recovered_after_a_failed_sync_is_written_once_more(bench: Bench) -> None:
    bench.run.tell("append entry 1; append entry 2, whose sync fails: the system takes its pages for clean")
    bench.append(body(1))
    appended = bench.plan(body(2, 300))
    bench.fail_sync()
    try:
        bench.perform(appended.plan)
    except DiskError:
        bench.run.tell("the process ends; the log is opened: entry 2 can be read; then the power is lost")
    bench.reopened(bench.disk)
    bench.reopened(after_power_loss(bench.disk, Survival()), why=", as the opening before found them")


@sentence("1.26", 11)
def a_mark_makes_damage_of_the_last_group_known(bench: Bench) -> None:
    bench.run.tell("append entry 1, and leave it on its way: there is nothing to be marked")
    bench.plan(body(1))
    if bench.log.note_durable():
        raise broken(11, expected="no mark while something waits", found="`note_durable` returned one")
    bench.carry_out()
    bench.append(body(2, 80))
    bench.run.tell("append entry 2; the host has nothing to do, and writes a mark; a bit of entry 2 changes")
    mark = bench.mark()
    if not mark:
        raise broken(11, expected="a mark that says how far all is durable", found="`note_durable` returned an empty plan")
    _nothing_to_mark(bench)
    disk, _, _ = _flipped(bench.disk, body(2, 80))
    found = open_log(bench.make, disk, bench.segment_bytes)
    if not found.recovery.damage:
        raise broken(11, expected="the mark proves that entry 2 was synced: damage", found=f"the log was opened with {found}")
    bench.run.tell("append entry 3: its group is written behind the mark, as behind any group")
    plan = bench.plan(body(3)).plan
    write = next((operation for operation in plan if isinstance(operation, Write)), None)
    if write is None:
        raise broken(1, expected="an append is written", found=f"the plan is {_verbs(plan) or 'empty'}")
    if write.file == mark[0].file and write.at < (end := max(one.at + len(one.data) for one in mark if isinstance(one, Write))):
        raise broken(1, expected=f"what is written begins behind byte {end}", found=f"it begins at byte {write.at}")
    bench.carry_out()
    bench.reopened(bench.disk.copy(), why=" again")


def _nothing_to_mark(bench: Bench) -> None:
    if bench.mark():
        raise broken(
            11, expected="nothing new is durable, so there is nothing to be marked", found="`note_durable` returned a mark"
        )


@sentence("1.27", 12, points=1)
def an_append_that_found_no_room_never_was(bench: Bench) -> None:
    bench.append(body(1, 400))
    bench.run.tell("append entries 2 and 3, of 700 and 20 bytes, for which the disk has no room; the newest is taken back first")
    bench.disk.capacity_bytes = bench.disk.used_bytes
    first, second = bench.plan(body(2, 700)), bench.plan(body(3, 20))
    try:
        bench.perform(first.plan)
    except DiskFullError:
        bench.run.tell("the disk is full")
    try:
        bench.log.abandon(first.sequence)
    except StateError:
        bench.abandon_all()
    else:
        raise broken(
            12, expected=f"append {second.sequence} is taken back before {first.sequence}: StateError", found="it was not"
        )
    bench.check()
    bench.disk.capacity_bytes = None
    bench.run.tell("there is room again: append entry 2, open the log anew")
    bench.append(body(20))
    bench.append(body(30))
    _all_is_as_before(bench)
    bench.reopened(bench.disk.copy(), why=" again")


def _all_is_as_before(bench: Bench) -> None:
    """One more append needs no segment, and what is taken back is marked over once."""
    bench.run.tell("append entry 4, for which the segment has room")
    plan = bench.plan(body(4)).plan
    if any(isinstance(operation, Create) for operation in plan):
        raise broken(3, expected="the group fits, and no segment is begun", found=f"the plan is {_verbs(plan)}")
    bench.carry_out()
    bench.run.tell("a mark; append entry 5, and take it back before any of it is carried out; marks")
    bench.mark()
    bench.plan(body(5))
    bench.abandon_all()
    bench.check()
    bench.mark()
    _nothing_to_mark(bench)


@sentence("1.28", 13, points=1)
def retention_removes_whole_segments_and_never_the_last(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 9 over several segments")
    for number in range(1, 10):
        bench.append(body(number, 300))
    views = bench.segments(3)
    for index in (1, views[1].first_index - 1, views[1].first_index, 9, 99):
        gone = [view for view, following in itertools.pairwise(views) if following.first_index <= min(index, 99)]
        bench.run.tell(f"drop what is before entry {index}")
        bench.drop_before(index)
        kept = [view.file for view in views if view not in gone]
        if sorted(bench.disk.files()) != sorted(kept) or bench.first_index != views[len(gone)].first_index:
            raise broken(
                13,
                expected=f"{len(kept)} segments are left, and entries from {views[len(gone)].first_index} on",
                found=f"{len(bench.disk.files())} files are there, and entries from {bench.first_index} on",
            )
        bench.check()
    bench.reopened(bench.disk.copy(), why=" again")


@sentence("1.29", 13, points=1)
def nothing_goes_before_what_follows_it_is_durable(bench: Bench) -> None:
    bench.append(body(1, 300), body(2, 300))
    bench.run.tell("append entry 3, which begins a segment, and carry nothing out; drop what is before entry 3")
    bench.plan(body(3, 600))
    plan = bench.log.drop_before(LogIndex(3))
    if any(isinstance(operation, Remove) for operation in plan):
        raise broken(13, expected="entries 1 and 2 are needed until entry 3 is durable", found=f"`drop_before` returned {plan}")


@sentence("1.30", 6, points=1)
def opening_from_a_checkpoint_finds_what_opening_without_one_finds(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 3, another entry 2, and entries 3 to 6; take a checkpoint")
    bench.append(body(1), body(21), body(31), term=1, hard_state=HardState(Term(1), 2))
    bench.append(body(2), after=1, term=2, hard_state=HardState(Term(2), None))
    for number in range(3, 7):
        bench.append(body(number, 200))
    checkpoint = Checkpoint.from_bytes(bench.log.checkpoint().to_bytes())
    bench.run.tell("append another entry 6, and entries 7 and 8; open the log from the checkpoint")
    bench.append(body(70), after=5, term=3, hard_state=HardState(Term(3), None))
    bench.append(body(8, 300), body(9))
    bench.reopened(bench.disk.copy(), checkpoint=checkpoint, why=" from the checkpoint")
