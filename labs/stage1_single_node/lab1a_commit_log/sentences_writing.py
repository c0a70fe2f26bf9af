"""Ring 1: one small test per rule of the log. Here: segments, and what is written to them."""

import itertools

from labs.grader.sentences import Sentences
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body, checked_plan
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from mq.broker.store.record import (
    GROUP_MAGIC,
    SEGMENT_HEADER_BYTES,
    GroupHeader,
    SegmentHeader,
    decode_group_header,
    decode_segment_header,
)
from mq.broker.store.segment import segment_base, segment_file
from mq.core.entry import HardState
from mq.core.errors import FormatError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Sync, Write
from mq.sim.disk import put

__all__ = ["SENTENCES", "sentence"]

sentence = Sentences(Bench, points=2)
SENTENCES = sentence.checks
"""In the order in which the methods are written: the first test that a method's lack makes fail is about this method."""


def _on_disk(bench: Bench, payload: bytes) -> bool:
    return any(payload in content for content in bench.disk.contents().values())


def _written(plan: Plan, file: str, begins: int = 0) -> list[int]:
    """Which operations write something into a file. Zeros are what a file holds anyway: it may be filled with them."""
    return [
        n
        for n, operation in enumerate(plan)
        if n >= begins and isinstance(operation, Write) and operation.file == file and any(operation.data)
    ]


def _is_synced_after(plan: Plan, number: int) -> bool:
    return any(isinstance(later, Sync) and later.file == plan[number].file for later in plan[number + 1 :])


# ---------------------------------------------------------------- segments


@sentence("1.1", 3, points=1)
def a_new_segment_has_a_synced_header_and_stands_behind_the_synced_end_of_the_one_before(bench: Bench) -> None:
    old: Write | None = None
    end = 0
    for number in (1, 2):
        first, plan = _plan_that_begins_a_segment(bench, number)
        bench.run.tell(f"the plan is {_words(plan)}")
        made = next((n for n, operation in enumerate(plan) if isinstance(operation, Create)), None)
        if made is None:
            raise broken(3, expected="the plan makes the new segment's file: Create", found=f"the plan is {_words(plan)}")
        if old is not None:
            _the_old_one_is_ended(old, plan, made)
        if plan[made].file != segment_file(end):
            expected = f"the new file is {segment_file(end)}: it is named by the position where the segment begins"
            raise broken(3, expected=expected, found=f"it is {plan[made].file}")
        _the_header_is_synced(plan, made, first)
        bench.perform(plan)
        end += next(one.size_bytes for one in plan[made:] if isinstance(one, Create))
        last = plan[_written(plan, plan[made].file)[-1]]
        assert isinstance(last, Write)
        old = last


def _plan_that_begins_a_segment(bench: Bench, number: int) -> tuple[int, Plan]:
    """And the index that the segment begins with."""
    last = EntryId(Term(number), LogIndex(7 * number))
    bench.run.tell(f"`reset`, which is given, lets the log begin anew behind entry {last.index}: it asks `_roll` for a segment")
    try:
        return last.index + 1, checked_plan(bench.log.reset(last, HardState(Term(number), None)).plan, "reset")
    except StateError:  # a log that was written anew need not have it
        bench.run.tell(f"there is no `reset`; append entry {number} of 900 bytes, which begins a segment")
        return number, bench.plan(body(number, 900)).plan


def _the_old_one_is_ended(last: Write, plan: Plan, made: int) -> None:
    """By a group behind its last one, which is synced. last: what was written to it last."""
    end = _end(last)
    ends = [n for n, one in enumerate(plan[:made]) if isinstance(one, Write) and (one.file, one.at) == (last.file, end)]
    header = _group_header(plan[ends[0]]) if ends else None
    if header is None or not header.is_end_of_segment or header.position != (segment_base(last.file) or 0) + end:
        expected = f"before the new file is made, a group at byte {end} of {last.file} says that the segment ends there"
        raise broken(3, expected=expected, found=f"no such group: the plan is {_words(plan)}")
    if not _is_synced_after(plan[:made], ends[0]):
        expected = "what the full segment got is synced before the next one is made"
        raise broken(3, expected=expected, found=f"the plan is {_words(plan)}")


def _the_header_is_synced(plan: Plan, made: int, first: int) -> None:
    """And says what it must. made: number of the Create; first: index that the segment begins with."""
    create = plan[made]
    whole, header = _segment_header(plan, create.file, made)
    size_bytes = create.size_bytes if isinstance(create, Create) else 0
    wanted = (segment_base(create.file), size_bytes, first)
    told = None if header is None else (header.base_position, header.size_bytes, header.next_index)
    if told != wanted:
        raise broken(
            3,
            expected=f"a header at byte 0 of {create.file} with base position, size and next index {wanted}",
            found="no whole header is written there" if told is None else f"they are {told}",
        )
    if not _is_synced_after(plan[: _next_written(plan, create.file, whole)], whole):
        expected = "the header of the new segment is synced before a group is written behind it"
        raise broken(3, expected=expected, found=f"the plan is {_words(plan)}")


def _end(write: Write) -> int:
    """Behind what it writes, but for zeros that only fill the file: groups are aligned to 8 bytes."""
    end = write.at + len(write.data.rstrip(b"\0"))
    return end + -end % 8


def _group_header(operation: Operation) -> GroupHeader | None:
    assert isinstance(operation, Write)
    try:
        return decode_group_header(operation.file, operation.data, 0)
    except FormatError:
        return None


def _segment_header(plan: Plan, file: str, made: int) -> tuple[int, SegmentHeader | None]:
    """The header of a file that operation `made` makes, and with which operation it is whole: it may be written in parts."""
    content = bytearray()
    for number in _written(plan, file, made):
        write = plan[number]
        assert isinstance(write, Write)
        put(content, write.at, write.data)
        try:
            header = decode_segment_header(file, bytes(content))
        except FormatError:
            break
        if header is not None or any(content[SEGMENT_HEADER_BYTES:]):
            return number, header
    return len(plan), None


def _next_written(plan: Plan, file: str, number: int) -> int:
    """Which operation writes something into a file behind another one; the end of the plan when none does."""
    return next(iter(_written(plan, file, number + 1)), len(plan))


# ---------------------------------------------------------------- writing


@sentence("1.2", 1, points=1)
def the_first_append_makes_a_segment_writes_into_it_and_syncs_it(bench: Bench) -> None:
    bench.run.tell("append entry 1 to an empty log")
    plan = bench.plan(body(1)).plan
    if not plan or not isinstance(plan[0], Create):
        raise broken(3, expected="the plan begins with the Create of a segment", found=f"it is {_words(plan)}")
    loose = [n for n, operation in enumerate(plan) if isinstance(operation, Write) and not _is_synced_after(plan, n)]
    if loose:
        raise broken(1, expected="each write is followed by a sync of its file", found=f"no sync follows in {_words(plan)}")
    bench.perform(plan)
    if not _on_disk(bench, body(1)):
        raise broken(1, expected="the payload is on the disk as it came", found="no file holds it")
    if not bench.disk.is_all_durable():
        raise broken(1, expected="all of it is durable when the plan is carried out", found=f"it is not: {_words(plan)}")


@sentence("1.3", 1, points=1)
def the_next_append_is_one_write_behind_the_last_group_and_one_sync(bench: Bench) -> None:
    ends: dict[str, int] = {}
    for number in range(1, 4):
        bench.run.tell(f"append entry {number}, carry the plan out")
        plan = bench.plan(body(number)).plan
        if number > 1:
            match plan:
                case (Write(file=file, at=at), Sync(file=synced)) if file == synced:
                    if at < ends.get(file, 0):
                        raise broken(
                            1, expected=f"what is written begins behind byte {ends[file]}", found=f"it begins at byte {at}"
                        )
                case _:
                    raise broken(1, expected="one write and one sync of the same file", found=f"the plan is {_words(plan)}")
        for operation in plan:
            if isinstance(operation, Write):
                ends[operation.file] = max(ends.get(operation.file, 0), _end(operation))
        bench.perform(plan)


@sentence("1.4", 2, points=1)
def a_place_for_each_entry_says_where_its_record_lies(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 3 together, then entry 4")
    places = [*bench.append(body(1), body(2, 40), body(3)).places, *bench.append(body(4)).places]
    for number, place in enumerate(places, 1):
        payload = body(number, 40 if number == 2 else 12)
        views = bench.segments()
        segment = next((one for one in views if 0 <= place.position - one.base_position < one.size_bytes), None)
        if segment is None:
            raise broken(2, expected=f"entry {number} lies in a segment", found=f"none holds {place}: `segments` says {views}")
        at = place.position - segment.base_position
        if payload not in bench.disk.contents().get(segment.file, b"")[at : at + place.size_bytes]:
            raise broken(
                2,
                expected=f"entry {number} lies in bytes {at} to {at + place.size_bytes} of {segment.file}",
                found="its payload is not there",
            )
    overlaps = [n for n in range(1, len(places)) if places[n].position < places[n - 1].position + places[n - 1].size_bytes]
    if overlaps:
        raise broken(2, expected="records lie one behind the other", found=f"the places {places} overlap")


@sentence("1.5", 3, points=1)
def a_group_that_does_not_fit_begins_a_new_segment(bench: Bench) -> None:
    writes: list[tuple[int, Write]] = []
    for number in range(1, 9):
        bench.run.tell(f"append entry {number} of 300 bytes; a segment has {bench.segment_bytes}")
        plan = bench.append(body(number, 300)).plan
        writes += [(number, operation) for operation in plan if isinstance(operation, Write)]
    segments = bench.log.segments()
    if not 3 <= len(segments) <= 8:
        raise broken(
            3,
            expected=f"8 entries of 300 bytes take 3 to 8 segments of {bench.segment_bytes} bytes",
            found=f"there are {len(segments)}",
        )
    for one, following in itertools.pairwise(segments):
        if one.base_position + one.size_bytes != following.base_position or not one.is_sealed:
            raise broken(3, expected="each segment begins where the one before it ends", found=f"{one}, then {following}")
    sizes = bench.disk.files()
    wrong = [s for s in segments if sizes.get(s.file) != s.size_bytes]
    if not wrong:
        return
    file, size_bytes = wrong[0].file, wrong[0].size_bytes
    for number, write in writes:
        if write.file == file and write.at + len(write.data) > size_bytes:
            raise broken(
                3,
                expected=f"{file} has {size_bytes} bytes, and what is written to it lies within them",
                found=f"the write of entry {number} was at byte {write.at}: a `Write` names a byte of its file, and not a"
                " position of the log",
                disks=[("when all was written", bench.disk)],
                read=", and methods `CommitLog.append` and `CommitLog._roll`",
            )
    raise broken(3, expected=f"{file} has {size_bytes} bytes", found=f"it has {sizes.get(file)}")


@sentence("1.6", 3, points=1)
def a_new_segment_is_made_when_all_before_is_durable_and_its_header_before_a_group(bench: Bench) -> None:
    end = 0
    for number in range(1, 7):
        appended = bench.plan(body(number, 300))
        plan = appended.plan
        made = next((n for n, operation in enumerate(plan) if isinstance(operation, Create)), None)
        bench.run.tell(f"append entry {number}: {_words(plan)}")
        if any(isinstance(operation, Write) and not _is_synced_after(plan, n) for n, operation in enumerate(plan)):
            raise broken(1, expected="each write is followed by a sync of its file", found=f"the plan is {_words(plan)}")
        if made is not None:
            file = plan[made].file
            loose = [n for n in range(made) if isinstance(plan[n], Write) and not _is_synced_after(plan[:made], n)]
            if loose:
                raise broken(
                    3,
                    expected="what the full segment got is synced before the next one is made",
                    found=f"the plan is {_words(plan)}",
                )
            whole, header = _segment_header(plan, file, made)
            group = _next_written(plan, file, whole)
            if header is None or group == len(plan) or not _is_synced_after(plan[:group], whole):
                raise broken(
                    3,
                    expected="the header of the new segment is synced before a group is written behind it",
                    found=f"the plan is {_words(plan)}",
                )
        bench.carry_out()
        _says_what_is_synced(bench, body(number, 300), end)
        end = max((place.position + place.size_bytes for place in appended.places), default=end)


def _says_what_is_synced(bench: Bench, payload: bytes, end: int) -> None:
    """end: up to there all was synced when the group with this payload was made, and its header says so."""
    for file, content in bench.disk.contents().items():
        at = content.rfind(GROUP_MAGIC, 0, max(0, content.find(payload)))
        header = decode_group_header(file, content, at) if at >= 0 else None
        if header is not None and header.durable_end < end:
            raise broken(
                4,
                expected=f"all up to position {end} was synced: the next group's header says so, as its `durable_end`",
                found=f"it says {header.durable_end}",
                read=", and methods `UnsyncedAppends.synced` and `CommitLog.append`",
            )


@sentence("1.7", 3, points=1)
def a_group_larger_than_a_segment_gets_one_of_its_own_size(bench: Bench) -> None:
    bench.run.tell(f"append entry 1 of 3000 bytes; a segment has {bench.segment_bytes}")
    bench.append(body(1, 3000))
    bench.append(body(2))
    if not any(body(1, 3000) in content for content in bench.disk.contents().values()):
        raise broken(3, expected="a group lies in one segment", found="no file holds all of entry 1")
    _sizes_are_multiples_of_8(bench)
    bench.run.tell("another log, whose segments are to have 1001 bytes: append entry 1 of 12 bytes, and entry 2 of 900")
    other = Bench(bench.make, bench.run, 1001)
    other.append(body(1))
    other.append(body(2, 900))
    _sizes_are_multiples_of_8(other)


def _sizes_are_multiples_of_8(bench: Bench) -> None:
    odd = {file: size_bytes for file, size_bytes in bench.disk.files().items() if size_bytes % 8}
    if odd:
        raise broken(3, expected="the size of a segment is a multiple of 8", found=f"files have these sizes: {odd}")


@sentence("1.8", 4, points=1)
def what_is_appended_can_be_seen_at_once(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 3 of term 2, with vote 1, and carry nothing out")
    bench.plan(body(1), body(2), body(3), term=2, hard_state=HardState(Term(2), 1))
    log = bench.log
    shown = (log.last_index, log.term_at(LogIndex(3)), log.hard_state)
    if shown != (3, 2, HardState(Term(2), 1)):
        raise broken(4, expected="the log ends with entry 3 of term 2, and the vote is 1", found=f"it shows {shown}")
    try:
        bench.plan(body(9), after=7)
    except StateError:
        return
    raise broken(4, expected="entry 8 cannot be appended behind entry 3: StateError", found="`append` took it")


def _words(plan: Plan) -> str:
    """A plan in one line."""
    return ", ".join(f"{type(operation).__name__} {operation.file[-8:]}" for operation in plan) or "empty"
