"""Ring 1, fifth part: what is asked of early methods and missed late. Without these a schedule alone would tell."""

from collections.abc import Sequence

from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body, checked_plan, open_log
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from labs.stage1_single_node.lab1a_commit_log.sentences_keeping import SENTENCES, sentence
from labs.stage1_single_node.lab1a_commit_log.sentences_opening import a_sync_fails_and_then_the_power_is_lost
from labs.stage1_single_node.lab1a_commit_log.tails import damage_told, no_damage, tail_of
from mq.broker.store.record import GROUP_MAGIC, PLACE_KIND, decode_group_header, decode_segment_header, records_of
from mq.core.entry import HardState
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Plan, Sync
from mq.sim.disk import SimDisk

__all__ = ["SENTENCES"]


def _three_segments(bench: Bench) -> None:
    """Entries 1 to 3, each in its own; nothing is said to be synced."""
    bench.run.tell("append entries 1 to 3 of 600 bytes and term 1: each begins a segment")
    for number in range(1, 4):
        bench.perform(bench.plan(body(number, 600), term=1, hard_state=HardState(Term(1), None) if number == 1 else None).plan)


def _another_entry_2(bench: Bench) -> Plan:
    return bench.plan(body(20), after=1, term=2, hard_state=HardState(Term(2), None)).plan


@sentence("1.31", 13, points=1)
def a_group_that_goes_back_behind_what_its_segment_began_with_says_what_it_stands_behind(bench: Bench) -> None:
    _three_segments(bench)
    bench.run.tell("append another entry 2, of term 2: it lies in a segment that began with a later one")
    bench.perform(_another_entry_2(bench))
    file = next((file for file, content in bench.disk.contents().items() if body(20) in content), "")
    told = _told_before(file, bench.disk.contents().get(file, b""), body(20))
    if told != (wanted := EntryId(Term(1), LogIndex(1))):
        raise broken(
            13,
            expected=f"where the new entry 2 lies it is said that it stands behind entry {wanted.index} of term {wanted.term}:"
            " when all older segments are removed, nothing else says so",
            found="nothing says so" if told is None else f"what is said is entry {told.index} of term {told.term}",
            disks=[("when it was written", bench.disk)],
            read=", and method `CommitLog.append`",
        )


def _told_before(file: str, content: bytes, payload: bytes) -> EntryId | None:
    """What the group with a payload says that it stands behind; if it says nothing, what its segment's header says."""
    behind = content.find(payload)
    at = content.rfind(GROUP_MAGIC, 0, max(0, behind))
    group = decode_group_header(file, content, at) if at >= 0 else None
    records = (records_of(content, at, group) if group is not None else None) or ()
    said = [EntryId(Term(record.term), LogIndex(record.index)) for record in records if record.kind == PLACE_KIND]
    header = decode_segment_header(file, content)
    if said or header is None:
        return said[0] if said else None
    return EntryId(Term(header.last_term), LogIndex(header.next_index - 1))


@sentence("1.32", 9, points=1)
def the_header_of_a_new_segment_is_written_once_more_when_its_sync_failed(bench: Bench) -> None:
    bench.append(body(1, 600))
    bench.run.tell("append entry 2, which begins a segment; the sync of its header fails; the log is opened anew")
    plan = bench.plan(body(2, 600)).plan
    made = _begun(plan)
    at = next(number for number in range(made, len(plan)) if isinstance(plan[number], Sync))
    bench.perform(plan[:at])
    a_sync_fails_and_then_the_power_is_lost(bench, plan[at : at + 1])


def _begun(plan: Plan) -> int:
    """Where a plan makes a segment's file. Raises: PromiseBrokenError when it makes none and syncs it."""
    made = next((number for number, operation in enumerate(plan) if isinstance(operation, Create)), None)
    if made is None or not any(isinstance(operation, Sync) for operation in plan[made:]):
        raise broken(3, expected="a segment is begun, and synced", found=f"the plan has {len(plan)} operation(s) and does not")
    return made


@sentence("1.33", 12, points=1)
def what_is_taken_back_leaves_the_segments_as_they_were(bench: Bench) -> None:
    _three_segments(bench)
    bench.carry_out(3)
    before = bench.log.segments()
    bench.run.tell("append another entry 2, of term 2, and take it back before any of it is carried out")
    _another_entry_2(bench)
    bench.abandon_all()
    bench.check()
    if (again := bench.log.segments()) != before:
        at = next((n for n, pair in enumerate(zip(before, again, strict=False)) if pair[0] != pair[1]), len(again))
        raise broken(
            12,
            expected=f"`segments` says again {before[at : at + 1]}",
            found=f"it says {again[at : at + 1]}",
            read=", and `before.lowered` in method `CommitLog.append`",
        )


@sentence("1.34", 12, points=1)
def what_a_refused_append_wrote_is_marked_over_and_an_ended_segment_is_not(bench: Bench) -> None:
    bench.run.tell("append entry 1, wait until it is durable; a mark")
    bench.append(body(1, 40))
    bench.mark()
    bench.run.tell("append entry 2, which is written and then refused; it is taken back, a mark, and the process is killed")
    bench.plan(body(2, 40))
    bench.refuse(1)
    bench.mark()
    expected = "what was refused is marked over, and does not come back"
    _is_as_before(bench, expected, ", and methods `CommitLog.abandon` (`_must_mark`) and `CommitLog.note_durable`")
    bench.run.tell("append entry 2 of 900 bytes, which is refused behind the header of a new segment; taken back, a mark, a kill")
    plan = bench.plan(body(2, 900)).plan
    made = _begun(plan)
    header_is_synced = next(number for number in range(made, len(plan)) if isinstance(plan[number], Sync)) + 1
    bench.refuse(header_is_synced)
    bench.mark()
    expected = "the new file says that the segment before it has ended: no mark is written over that end"
    _is_as_before(bench, expected, ", and methods `CommitLog.abandon` (`_must_roll`) and `CommitLog.note_durable`")
    bench.run.tell("append entry 2, for which there is room; open the log anew")
    bench.append(body(20))
    bench.reopened(bench.disk.copy(), why=" again")


def _is_as_before(bench: Bench, expected: str, read: str) -> None:
    """The process is killed, and the log opened on a copy of the disk: it holds what this one holds."""
    disk = bench.copy_of_disk()
    pictures = [("when the process was killed", bench.copy_of_disk()), ("after it was opened", disk)]
    why = _why_not(bench, disk, pictures)
    if why:
        raise broken(12, expected=expected, found=why, disks=pictures, read=read)


def _why_not(bench: Bench, disk: SimDisk, pictures: Sequence[tuple[str, SimDisk]]) -> str:
    """Empty when a log that is opened on this disk holds what this one holds. Raises: PromiseBrokenError; see `no_damage`."""
    try:
        found = open_log(bench.make, disk, bench.segment_bytes)
    except (DamageError, StateError, FormatError) as error:
        return f"`recover` or `entries` raised {type(error).__name__}: {error}"
    if found.recovery.damage:
        damage, tail = found.recovery.damage[0], tail_of(pictures[0][1])
        if tail is not None and damage.file == tail.file and damage.at >= tail.at:
            raise no_damage(damage, ", behind the mark", pictures)
        return damage_told(damage)
    return "" if found.agrees_with(bench.now) else f"the log that was opened holds {found}"


@sentence("1.35", 13, points=1)
def what_an_append_supersedes_is_not_removed_before_that_append_is_durable(bench: Bench) -> None:
    _three_segments(bench)
    bench.carry_out(3)
    bench.run.tell("append another entry 2, of term 2, and carry nothing out; drop what is before entry 3; the process is killed")
    _another_entry_2(bench)
    plan = checked_plan(bench.log.drop_before(LogIndex(3)), "drop_before")
    before = bench.copy_of_disk()
    bench.perform(plan)
    found = open_log(bench.make, bench.copy_of_disk(), bench.segment_bytes)
    if found.recovery.damage or found.recovery.first_index > 2 or not found.agrees_with(bench.states[bench.durable]):
        raise broken(
            13,
            expected="entries 2 and 3 are in the log until another entry 2 is durable",
            found=f"`drop_before` removed {', '.join(one.file for one in plan) or 'nothing'}, and the log holds {found}",
            disks=[("before", before), ("when the process was killed", bench.disk)],
        )
