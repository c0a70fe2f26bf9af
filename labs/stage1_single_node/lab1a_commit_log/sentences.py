"""Ring 1: one small test per rule of the log. Here: writing, durability, reading."""

import itertools
from zlib import crc32

from labs.grader.sentences import Sentences
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body, broken
from mq.broker.store.record import RECORD_HEADER_BYTES
from mq.core.entry import HardState
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Operation, Sync, Write, drive

__all__ = ["SENTENCES", "sentence"]

sentence = Sentences(Bench, points=2)
SENTENCES = sentence.checks
"""In the order in which the methods are written."""


def _on_disk(bench: Bench, payload: bytes) -> bool:
    return any(payload in content for content in bench.disk.contents().values())


def _is_synced_after(plan: tuple[Operation, ...], number: int) -> bool:
    return any(isinstance(later, Sync) and later.file == plan[number].file for later in plan[number + 1 :])


# ---------------------------------------------------------------- writing


@sentence("1.1", 1, points=1)
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


@sentence("1.2", 1, points=1)
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
                ends[operation.file] = max(ends.get(operation.file, 0), operation.at + len(operation.data))
        bench.perform(plan)


@sentence("1.3", 2, points=1)
def a_place_for_each_entry_says_where_its_record_lies(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 3 together, then entry 4")
    places = [*bench.append(body(1), body(2, 40), body(3)).places, *bench.append(body(4)).places]
    for number, place in enumerate(places, 1):
        payload = body(number, 40 if number == 2 else 12)
        segment = next(s for s in bench.log.segments() if s.base_position <= place.position < s.base_position + s.size_bytes)
        at = place.position - segment.base_position
        if payload not in bench.disk.contents()[segment.file][at : at + place.size_bytes]:
            raise broken(
                2,
                expected=f"entry {number} lies in bytes {at} to {at + place.size_bytes} of {segment.file}",
                found="its payload is not there",
            )
    overlaps = [n for n in range(1, len(places)) if places[n].position < places[n - 1].position + places[n - 1].size_bytes]
    if overlaps:
        raise broken(2, expected="records lie one behind the other", found=f"the places {places} overlap")


@sentence("1.4", 3)
def a_group_that_does_not_fit_begins_a_new_segment(bench: Bench) -> None:
    for number in range(1, 9):
        bench.run.tell(f"append entry {number} of 300 bytes; a segment has {bench.segment_bytes}")
        bench.append(body(number, 300))
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
    if wrong:
        raise broken(3, expected=f"{wrong[0].file} has {wrong[0].size_bytes} bytes", found=f"it has {sizes.get(wrong[0].file)}")


@sentence("1.5", 3)
def a_new_segment_is_made_when_all_before_is_durable_and_its_header_before_a_group(bench: Bench) -> None:
    for number in range(1, 7):
        plan = bench.plan(body(number, 300)).plan
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
            writes = [n for n in range(made, len(plan)) if isinstance(plan[n], Write) and plan[n].file == file]
            if len(writes) < 2 or not _is_synced_after(plan[: writes[1]], writes[0]):
                raise broken(
                    3,
                    expected="the header of the new segment is synced before a group is written behind it",
                    found=f"the plan is {_words(plan)}",
                )
        bench.carry_out()


@sentence("1.6", 3, points=1)
def a_group_larger_than_a_segment_gets_one_of_its_own_size(bench: Bench) -> None:
    bench.run.tell(f"append entry 1 of 3000 bytes; a segment has {bench.segment_bytes}")
    bench.append(body(1, 3000))
    bench.append(body(2))
    if not any(body(1, 3000) in content for content in bench.disk.contents().values()):
        raise broken(3, expected="a group lies in one segment", found="no file holds all of entry 1")


@sentence("1.7", 4, points=1)
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


# ---------------------------------------------------------------- durability


@sentence("1.8", 4)
def nothing_is_durable_before_synced_says_so(bench: Bench) -> None:
    appended = []
    for number in range(1, 4):
        bench.run.tell(f"append entry {number}, carry the plan out")
        appended.append(bench.plan(body(number)))
        bench.perform(appended[-1].plan)
        _durable(bench, 0)
    bench.run.tell("synced: the first two")
    bench.log.synced(appended[1].sequence)
    _durable(bench, 2)
    bench.run.tell("synced: all")
    bench.log.synced(appended[2].sequence)
    _durable(bench, 3)
    bench.log.synced(appended[2].sequence)
    _durable(bench, 3)


@sentence("1.9", 4, points=1)
def entries_that_are_being_superseded_are_not_durable(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 5 of term 1, and wait until they are durable")
    bench.append(*[body(n) for n in range(1, 6)], term=1, hard_state=HardState(Term(1), None))
    bench.run.tell("append another entry 4, of term 2, and carry nothing out")
    bench.plan(body(40), after=3, term=2, hard_state=HardState(Term(2), None))
    _durable(bench, 3)
    bench.run.tell("append entries 5 and 6 behind it, then carry all out")
    bench.plan(body(50), body(60), term=2)
    _durable(bench, 3)
    bench.carry_out(1)
    _durable(bench, 4)
    bench.carry_out(1)
    _durable(bench, 6)


def _durable(bench: Bench, index: int) -> None:
    if (shown := bench.log.durable_index) != index:
        raise broken(4, expected=f"entries up to {index} are durable", found=f"`durable_index` is {shown}")


# ---------------------------------------------------------------- reading


@sentence("1.10", 5, points=1)
def a_record_is_read_back_by_its_place(bench: Bench) -> None:
    bench.run.tell("append nine entries in groups of three, over several segments")
    for number in range(1, 10, 3):
        payloads = [body(number, 200), body(number + 1), body(number + 2, 300)]
        appended = bench.append(*payloads, term=number, hard_state=HardState(Term(number), None))
        for place, payload in zip(appended.places, payloads, strict=True):
            read = bench.log.read(place)
            found = bench.log.decode(place, bench.disk.read(read))
            if (found.payload, found.term) != (payload, number):
                raise broken(
                    5,
                    expected=f"the record at {place} is the entry of term {number} with {payload[:12]!r}",
                    found=f"it is of term {found.term} with {found.payload[:12]!r}",
                )


@sentence("1.11", 5)
def a_record_that_is_damaged_or_cut_short_is_reported_with_file_and_byte(bench: Bench) -> None:
    bench.run.tell("append entries 1 and 2, read the second with one bit changed, and cut short")
    bench.append(body(1, 100))
    place = bench.append(body(2, 100)).places[0]
    read = bench.log.read(place)
    whole = bench.disk.read(read)
    changed = whole[:-7] + bytes([whole[-7] ^ 4]) + whole[-6:]
    for data, what in ((changed, "one bit of it has changed"), (whole[:-1], "its last byte is missing")):
        try:
            bench.log.decode(place, data)
        except DamageError as error:
            if (error.file, error.at) != (read.file, read.at):
                raise broken(
                    5,
                    expected=f"the damage is in {read.file}, byte {read.at}",
                    found=f"the error names {error.file}, byte {error.at}",
                ) from error
        else:
            raise broken(5, expected=f"a record is refused when {what}: DamageError", found="`decode` took it")
    bench.run.tell("read it as a newer program may have written it, with a version that nobody knows")
    try:
        bench.log.decode(place, _of_version(whole, 99))
    except FormatError:
        return
    raise broken(5, expected="a record of a newer program is refused: FormatError", found="`decode` took it")


def _of_version(record: bytes, version: int) -> bytes:
    """A whole record with another version: the last byte but one of its header."""
    at = RECORD_HEADER_BYTES - 2
    data = record[4:at] + bytes([version]) + record[at + 1 :]
    return crc32(data).to_bytes(4, "little") + data


@sentence("1.12", 5, points=1)
def entries_come_in_order_and_some_bytes_at_a_time(bench: Bench) -> None:
    bench.run.tell("append 20 entries in groups of four, over several segments")
    for number in range(1, 21, 4):
        bench.append(*[body(n, 100) for n in range(number, number + 4)])
    for first, last, bytes_max in ((1, 20, 1 << 20), (3, 3, 1), (7, 18, 250), (20, 20, 1 << 20), (5, 20, 1), (2, 9, 0)):
        found = drive(bench.log.entries(LogIndex(first), LogIndex(last), bytes_max), bench.disk)
        indexes = [int(stored.entry.index) for stored in found]
        if indexes != list(range(first, first + len(indexes))) or not indexes or indexes[-1] > last:
            raise broken(5, expected=f"entries from {first} on, to {last} at most", found=f"`entries` returned {indexes}")
        size = sum(len(stored.entry.payload) for stored in found[:-1])
        if bytes_max < size or (bytes_max == 1 << 20 and indexes[-1] != last):
            raise broken(
                5, expected=f"about {bytes_max} bytes of entries, and one at least", found=f"`entries` returned {indexes}"
            )
        wrong = [stored for stored in found if stored.entry.payload != body(stored.entry.index, 100)]
        if wrong:
            raise broken(
                5, expected=f"entry {wrong[0].entry.index} is what was appended", found=f"it is {wrong[0].entry.payload[:24]!r}"
            )
    _entries_are_verified(bench)


def _entries_are_verified(bench: Bench) -> None:
    read = bench.log.read(bench.append(body(21, 100)).places[0])
    file, at = read.file, read.at + read.size_bytes - 7
    bench.run.tell(f"append entry 21; bit 2 of byte {at} of {file} changes on a copy of the disk; read entry 21 there")
    disk = bench.copy_of_disk()
    disk.flip_bit(file, at, 2)
    try:
        drive(bench.log.entries(LogIndex(21), LogIndex(21), 1 << 20), disk)
    except DamageError as error:
        if error.file != file or error.at > at:
            raise broken(
                5, expected=f"byte {at} of {file} has changed", found=f"the error names {error.file}, byte {error.at}"
            ) from error
    else:
        raise broken(5, expected="entry 21 is damaged: DamageError", found="`entries` returned it")
    bench.run.tell("append entry 22, carry nothing out, and read it")
    bench.plan(body(22))
    try:
        drive(bench.log.entries(LogIndex(22), LogIndex(22), 1 << 20), bench.disk)
    except StateError:
        return
    raise broken(5, expected="entry 22 is not written yet: StateError", found="`entries` returned it")


@sentence("1.13", 10, points=1)
def what_was_superseded_is_never_read(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 9 of term 1")
    for number in range(1, 10):
        bench.append(body(number, 120), term=1, hard_state=HardState(Term(1), None) if number == 1 else None)
    for after, term in ((6, 2), (3, 3), (4, 4)):
        bench.run.tell(f"append another entry {after + 1}, of term {term}")
        bench.append(body(term * 10, 120), after=after, term=term, hard_state=HardState(Term(term), None))
        wanted = [payload for _, payload in bench.now.entries]
        found = drive(bench.log.entries(LogIndex(1), bench.log.last_index, 1 << 20), bench.disk)
        payloads = [stored.entry.payload for stored in found]
        if payloads != wanted:
            at = next((n for n, pair in enumerate(zip(payloads, wanted, strict=False)) if pair[0] != pair[1]), len(payloads))
            here, there = payloads[at : at + 1], wanted[at : at + 1]
            raise broken(
                10,
                expected=f"entry {at + 1} is {there[0][:8] if there else None!r}",
                found=f"`entries` returned {here[0][:8] if here else None!r} for it",
            )


@sentence("1.14", 5, points=1)
def a_read_under_way_ends_with_what_it_found_when_the_log_changes(bench: Bench) -> None:
    for reads, term in ((1, 1), (2, 3)):
        bench.run.tell(f"append entries 1 to 8, of term {term}, begin to read them; during read {reads} other ones are appended")
        for number in range(1, 9):
            hard_state = HardState(Term(term), None) if number == 1 else None
            bench.append(body(10 * term + number, 250), after=number - 1, term=term, hard_state=hard_state)
        _supersede_while_reading(bench, term + 1, reads)


def _supersede_while_reading(bench: Bench, term: int, reads: int) -> None:
    """All entries are read, and others take the place of all of them while the disk reads."""
    reading = bench.log.entries(LogIndex(1), LogIndex(8), 1 << 20)
    data = seen = bench.disk.read(next(reading))
    for _ in range(reads - 1):
        data = bench.disk.read(reading.send(data))
        seen += data
    was_read = [entry for entry in bench.now.entries if entry[1] in seen]
    others = [body(10 * term + number, 250) for number in range(1, 9)]
    bench.append(*others, after=0, term=term, hard_state=HardState(Term(term), None))
    try:
        while True:
            data = bench.disk.read(reading.send(data))
    except StopIteration as done:
        found = [(int(stored.entry.term), stored.entry.payload) for stored in done.value]
    if not found or found not in (was_read[: len(found)], list(bench.now.entries)[: len(found)]):
        raise broken(
            5,
            expected="a read ends with what was read before, or finds what counts now",
            found=f"it found {len(found)} entries, of terms {', '.join(str(term) for term, _ in found)}",
        )


def _words(plan: tuple[Operation, ...]) -> str:
    """A plan in one line."""
    return ", ".join(f"{type(operation).__name__} {operation.file[-8:]}" for operation in plan) or "empty"
