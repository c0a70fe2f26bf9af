"""Ring 1, fourth part: marks, a full disk, retention, checkpoints."""

import itertools
from collections.abc import Sequence

from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body, open_log
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from labs.stage1_single_node.lab1a_commit_log.sentences import sentence
from labs.stage1_single_node.lab1a_commit_log.sentences_opening import SENTENCES, flipped
from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.log_view import SegmentView
from mq.core.entry import HardState, RecordPlace
from mq.core.errors import DamageError, DiskFullError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Plan, Remove, Write

__all__ = ["SENTENCES", "sentence"]

_READS_MAX = 6
"""Behind each of so many reads the beginning of a log goes, each time of another one."""


def _verbs(plan: Plan) -> str:
    return ", ".join(type(operation).__name__ for operation in plan)


@sentence("1.26", 11, points=1)
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
    disk, _, _ = flipped(bench.disk, body(2, 80))
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
    _marks_leave_room(Bench(bench.make, bench.run, bench.segment_bytes))


def _marks_leave_room(bench: Bench) -> None:
    """For the group that ends the segment."""
    bench.run.tell("another log: append entry 1 of 700 bytes; seven times a mark, the process is killed, the log is opened")
    bench.append(body(1, 700))
    for _ in range(7):
        bench.mark()
        bench.reopened(bench.disk)
    bench.run.tell("append entry 2, which begins a segment; open the log anew")
    bench.append(body(2, 600))
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
    places = [bench.append(body(number, 300)).places[0] for number in range(1, 10)]
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
        _what_is_gone_is_not_read(bench, [place for place in places if any(_is_in(view, place) for view in gone)])
    bench.reopened(bench.disk.copy(), why=" again")
    _the_term_before_the_first_stays_known(Bench(bench.make, bench.run, bench.segment_bytes))
    for reads in range(1, _READS_MAX + 1):
        if not _goes_while_it_is_read(Bench(bench.make, bench.run, bench.segment_bytes), reads):
            break


def _goes_while_it_is_read(bench: Bench, reads: int) -> bool:
    """What is wanted next is removed behind so many reads: that is no damage. False when the read was over."""
    bench.run.tell(f"another log: append entries 1 to 9; read them; 1 to 6 go when it has asked for bytes {reads} time(s)")
    for number in range(1, 10):
        bench.append(body(number, 300))
    reading = bench.log.entries(LogIndex(1), LogIndex(9), 1 << 20)
    try:
        wanted = next(reading)
        for _ in range(reads - 1):
            wanted = reading.send(bench.disk.read(wanted))
    except StopIteration:
        return False
    bench.drop_before(7)
    try:
        while True:
            wanted = reading.send(bench.disk.read(wanted))
    except StopIteration as done:
        found = [stored.entry.payload for stored in done.value]
    except StateError:
        return True
    except DamageError as error:
        expected = "what retention took meanwhile is no damage: a read ends with what it has, or raises StateError"
        raise broken(5, expected=expected, found=f"DamageError: {error}") from error
    if not found or found != [payload for _, payload in bench.now.entries][: len(found)]:
        raise broken(5, expected="entries from 1 on, as they were appended", found=f"it found {[one[:8] for one in found]}")
    return True


def _is_in(view: SegmentView, place: RecordPlace) -> bool:
    return 0 <= place.position - view.base_position < view.size_bytes


def _what_is_gone_is_not_read(bench: Bench, places: Sequence[RecordPlace]) -> None:
    """places: of records whose segments were removed."""
    for place in places:
        try:
            read = bench.log.read(place)
        except StateError:
            continue
        raise broken(
            2,
            expected=f"the segment that held {place} is removed: StateError",
            found=f"`read` returned {read}",
            read=", and method `CommitLog.read`",
        )


def _the_term_before_the_first_stays_known(bench: Bench) -> None:
    """Where a group says it, and the header of its segment does not."""
    bench.run.tell("another log: append entries 1 to 3 of 600 bytes and terms 1 to 3, then another entry 2, of term 4")
    for number in range(1, 4):
        bench.append(body(number, 600), term=number, hard_state=HardState(Term(number), None))
    bench.append(body(20), after=1, term=4, hard_state=HardState(Term(4), None))
    bench.run.tell("drop what is before entry 2; open the log anew")
    bench.drop_before(2)
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
