"""Ring 1, third part: opening a log after a crash."""

from collections.abc import Iterator, Sequence

from labs.grader.suite import PromiseBrokenError, Run
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, Found, body, open_log, read_all
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from labs.stage1_single_node.lab1a_commit_log.sentences import SENTENCES, sentence
from labs.stage1_single_node.lab1a_commit_log.tails import Tail, damage_told, tail_of
from mq.broker.store.log_view import Damage
from mq.broker.store.record import GROUP_MAGIC, decode_group_header
from mq.broker.store.segment import segment_base
from mq.core.entry import HardState
from mq.core.errors import DamageError, DiskError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Plan, Sync
from mq.sim.crash import Survival, after_power_loss, unsynced_files
from mq.sim.disk import SECTOR_BYTES, SimDisk

__all__ = ["SENTENCES", "a_sync_fails_and_then_the_power_is_lost", "flipped"]


_LARGE_SEGMENT_BYTES = 65_536
_DECIDES, _CUTS = ", and method `_Recovery._judge_end`", ", and method `_Recovery._cut`"


def flipped(disk: SimDisk, payload: bytes) -> tuple[SimDisk, str, int]:
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
    a_sync_fails_and_then_the_power_is_lost(bench, large[up_to_a_sync : up_to_a_sync + 1])


def a_sync_fails_and_then_the_power_is_lost(bench: Bench, sync: Plan) -> None:
    """The log is opened in between. sync: the operation that fails."""
    bench.fail_sync()
    try:
        bench.perform(sync)
    except DiskError:
        bench.reopened(bench.disk)
    bench.run.tell("the repairs are carried out; then the power is lost")
    what_was_kept_is_durable(bench)


def what_was_kept_is_durable(bench: Bench) -> None:
    """A power loss behind an opening takes nothing away."""
    kept, left = bench.disk.contents(), after_power_loss(bench.disk, Survival())
    lost = next((file for file, content in kept.items() if left.contents().get(file) != content), None)
    if lost is not None:
        raise broken(
            9,
            expected=f"what the log kept of {lost} is durable when its repairs are carried out",
            found="a loss of power takes it away: a sync alone saves nothing that the system takes for saved",
            disks=[("after it was opened", bench.disk), ("after the power was lost", left)],
            read=", and method `_Recovery._write_again`",
        )


@sentence("1.19", 8, points=1)
def damage_below_the_durable_end_is_reported_and_nothing_is_changed(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 5; a bit of entry 2 changes on the disk; open the log anew")
    for number in range(1, 6):
        bench.append(body(number, 80))
    disk, file, at = flipped(bench.disk, body(2, 80))
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
    _whole_groups_go_on(disk, damage)
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
    disk, file, _ = flipped(bench.disk, body(first.last_index, 300))
    _whole_groups_go_on(disk, _damage_in(bench, disk, file))
    disk = bench.copy_of_disk()
    at = len(disk.contents()[file].rstrip(b"\0")) - 1
    bench.run.tell(f"on another copy, bit 3 of byte {at} of {file} changes, in the group that ends the segment")
    disk.flip_bit(file, at, 3)
    _whole_groups_go_on(disk, _damage_in(bench, disk, file))


def _damage_in(bench: Bench, disk: SimDisk, file: str) -> Damage:
    """What is reported when an earlier segment is damaged."""
    pictures = [("a bit has changed", disk.copy())]
    found = open_log(bench.make, disk, bench.segment_bytes)
    if not found.recovery.damage or found.recovery.damage[0].file != file:
        raise broken(
            8,
            expected="a later segment proves that all of the first one was synced: damage",
            found=f"`recover` reports {found.recovery.damage or 'none'}; the log holds {found}",
            disks=pictures,
        )
    return found.recovery.damage[0]


def _whole_groups_go_on(disk: SimDisk, damage: Damage) -> None:
    """A damage also says where people can read on. Here there is such a place: where else would the proof have been?"""
    wanted = next(_whole_headers_behind(disk, damage), None)
    if wanted is None or damage.resumes_at != wanted:
        raise broken(
            8,
            expected=f"`resumes_at` of a damage is the first position behind it, {damage.position}, where a group's header is"
            f" whole: {wanted}",
            found=f"it is {damage.resumes_at}",
            disks=[("a bit has changed", disk)],
        )


def _whole_headers_behind(disk: SimDisk, damage: Damage) -> Iterator[int]:
    """Positions of groups' headers that stand where they say they do, in order."""
    segments = {base: content for file, content in disk.contents().items() if (base := segment_base(file)) is not None}
    for base, content in sorted(segments.items()):
        at = content.find(GROUP_MAGIC, max(0, damage.position + 1 - base))
        while at >= 0:
            header = decode_group_header(damage.file, content, at)
            if header is not None and header.position == base + at:
                yield base + at
            at = content.find(GROUP_MAGIC, at + 1)


@sentence("1.21", 7, points=1)
def a_torn_write_is_cut_and_what_was_synced_stays(bench: Bench) -> None:
    bench.run.tell("append entries 1 and 2, wait until they are durable")
    bench.append(body(1), body(2))
    _tear(bench, 3, 600)
    bench.run.tell("append entries 3 to 6, one by one")
    for number in range(3, 7):
        bench.append(body(number))
    _tear(bench, 7, 300)
    _the_second_arrives_alone(Bench(bench.make, bench.run, bench.segment_bytes))
    _a_long_tail(Bench(bench.make, bench.run, _LARGE_SEGMENT_BYTES))


def _the_second_arrives_alone(bench: Bench) -> None:
    """It was not synced, and so it proves nothing of what lies before it."""
    bench.run.tell("another log: append entry 1, wait until it is durable; append entry 2 of 400 bytes, and entry 3")
    bench.append(body(1))
    for plan in (bench.plan(body(2, 400)).plan, bench.plan(body(3, 40)).plan):
        bench.perform(tuple(one for one in plan if not isinstance(one, Sync)))
    bench.run.tell("the power is lost before a sync; of the first sector nothing arrived, of all others everything")
    bench.reopened(_without_the_first_sector(bench), why=", whatever the groups on their way say")


def _without_the_first_sector(bench: Bench) -> SimDisk:
    """What a power loss leaves when of what is not synced everything arrived but that."""
    sectors: dict[tuple[int, int], int] = {}
    for found, pieces in unsynced_files(bench.disk):
        for piece in pieces:
            sectors[found.number, piece.sector] = sectors.get((found.number, piece.sector), 0) + (piece.sector > 0)
    return after_power_loss(bench.disk, Survival(sectors))


def _a_long_tail(bench: Bench) -> None:
    """Groups behind a torn one are whole, and must not come back to life, however many they are."""
    bench.run.tell("another log, of large segments: append entry 1, wait until it is durable; append entries 2 to 13, one by one")
    bench.append(body(1))
    for number in range(2, 14):
        plan = bench.plan(body(number, 3_000)).plan
        bench.perform(tuple(one for one in plan if not isinstance(one, Sync)))
    bench.run.tell("the power is lost before a sync; of the first sector nothing arrived, of all others everything")
    disk = _without_the_first_sector(bench)
    left = disk.copy()
    bench.reopened(disk)
    for file, content in bench.disk.contents().items():
        alive = [number for number in range(2, 14) if body(number, 3_000)[:40] in content]
        if alive:
            raise broken(
                7, expected="all bytes behind the torn group are zero again, in one segment to its last byte",
                found=f"entries {alive[0]} to {alive[-1]} are still in {file}, and may come back to life",
                disks=[("what the power loss left", left), ("after it was opened", bench.disk)], read=_CUTS,
            )  # fmt: skip


def _tear(bench: Bench, number: int, size_bytes: int) -> None:
    """number: of an entry of which only a half arrives."""
    bench.run.tell(f"append entry {number} of {size_bytes} bytes; the power is lost while it is written, half of it arrived")
    bench.perform(_up_to_the_last_sync(bench.plan(body(number, size_bytes)).plan))
    disk = _half_written(bench)
    before, after = disk.copy(), disk.copy()
    found = open_log(bench.make, after, bench.segment_bytes)
    pictures = [("what the power loss left: half of the last write", before), ("after it was opened", after)]
    if (tail := tail_of(before)) is None:
        raise broken(1, expected="an append is written", found="nothing of it is on the disk")
    what_is_torn_is_told(found, tail, pictures)
    if (last := len(bench.reopened(disk).entries)) != number - 1:
        raise broken(
            7,
            expected=f"half a group is no group: the log ends with entry {number - 1}",
            found=f"it ends with {last}",
            disks=pictures,
            read=_DECIDES,
        )
    if any(body(number, size_bytes)[:40] in content for content in bench.disk.contents().values()):
        raise broken(
            7,
            expected=f"the bytes of the torn write are zero again: {tail}",
            found="they are still there, and may come back to life",
            disks=pictures,
            read=_CUTS,
        )


def what_is_torn_is_told(found: Found, tail: Tail, pictures: Sequence[tuple[str, SimDisk]]) -> None:
    """`Recovery.torn` is the torn write that lay there when the log was opened. pictures: before, and after."""
    torn, expected = found.recovery.torn, f"{tail} are reported as torn: `Recovery.torn` says so"
    if found.recovery.damage:
        told = f"{damage_told(found.recovery.damage[0])}; nobody can prove that this was synced, so it is torn"
        raise broken(7, expected=expected, found=told, disks=pictures, read=_DECIDES)
    if torn is None:
        is_zero = not any(pictures[-1][1].contents().get(tail.file, b"")[tail.at : tail.end])
        bytes_told = "those bytes are zero now" if is_zero else "those bytes are still there"
        told = f"nothing is: `Recovery.torn` is None, the log holds {found}, and {bytes_told}"
        raise broken(7, expected=expected, found=told, disks=pictures, read=_CUTS if is_zero else _DECIDES)
    if (torn.file, torn.at) != (tail.file, tail.at):
        told = f"`Recovery.torn` begins at byte {torn.at} of {torn.file}"
        raise broken(7, expected=expected, found=told, disks=pictures, read=_CUTS)
    if torn.at + torn.size_bytes != tail.end:
        raise broken(
            7,
            expected=f"{tail} are reported as torn: `at` + `size_bytes` is {tail.end}, behind which all is zero",
            found=f"`at` is {torn.at} and `size_bytes` is {torn.size_bytes}: together {torn.at + torn.size_bytes}",
            disks=pictures,
            read=_CUTS,
        )


@sentence("1.22", 6, points=1)
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
    _the_power_is_lost_behind_an_opening(bench)


def _the_power_is_lost_behind_an_opening(bench: Bench) -> None:
    """What that opening found is found again. What was not written once more is told as that, and not as what it came to."""
    try:
        bench.reopened(after_power_loss(bench.disk, Survival()), why=", as the opening before found them")
    except PromiseBrokenError:
        what_was_kept_is_durable(bench)
        raise


@sentence("1.25", 9, points=1)
def what_is_recovered_after_a_failed_sync_is_written_once_more(bench: Bench) -> None:
    bench.run.tell("append entry 1; append entry 2, whose sync fails: the system takes its pages for clean")
    _once_more(bench, body(2, 300))
    other = Bench(bench.make, bench.run, bench.segment_bytes)
    bench.run.tell("another log: append entry 1; append entries 2 and 3 together, of 540,000 bytes each; their sync fails")
    _once_more(other, body(2, 540_000), body(3, 540_000))


def _once_more(bench: Bench, *payloads: bytes) -> None:
    bench.append(body(1))
    appended = bench.plan(*payloads)
    bench.perform(_up_to_the_last_sync(appended.plan))
    bench.fail_sync()
    try:
        bench.perform(appended.plan[len(_up_to_the_last_sync(appended.plan)) :])
    except DiskError:
        bench.run.tell("the process ends; the log is opened: what was appended can be read; then the power is lost")
    bench.reopened(bench.disk)
    _the_power_is_lost_behind_an_opening(bench)
