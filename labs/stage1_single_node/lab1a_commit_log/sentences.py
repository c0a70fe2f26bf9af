"""Ring 1, second part: what is durable, and what is read."""

from zlib import crc32

from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body
from labs.stage1_single_node.lab1a_commit_log.contents import check_stored, kind_of
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from labs.stage1_single_node.lab1a_commit_log.sentences_writing import SENTENCES, sentence
from mq.broker.store.record import RECORD_HEADER_BYTES
from mq.core.entry import Entry, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Read, drive

__all__ = ["SENTENCES", "sentence"]

_READS_MAX = 6
"""Behind each of so many reads a log changes, each time another one."""


# ---------------------------------------------------------------- durability


@sentence("1.9", 4)
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


@sentence("1.10", 4, points=1)
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


@sentence("1.11", 2, points=1)
def a_place_says_which_bytes_of_which_file_are_to_be_read(bench: Bench) -> None:
    bench.run.tell("append entries 1 to 6 over several segments; ask what to read for the place of each")
    for number in range(1, 7):
        place = bench.append(body(number, 300)).places[0]
        views = [one for one in bench.segments() if one.base_position <= place.position]
        if not views:
            raise broken(2, expected=f"a segment holds {place}", found=f"`segments` shows none that does: {bench.segments()}")
        wanted = Read(views[-1].file, place.position - views[-1].base_position, place.size_bytes)
        read = bench.log.read(place)
        if read != wanted:
            raise broken(2, expected=f"for {place} is to be read: {wanted}", found=f"`read` returned {read}")
    bench.run.tell("ask it for a place far behind the log")
    try:
        read = bench.log.read(RecordPlace(CommitLogPosition(1 << 40), 40))
    except StateError:
        return
    raise broken(2, expected=f"no segment holds position {1 << 40}: StateError", found=f"`read` returned {read}")


@sentence("1.12", 5, points=1)
def a_record_is_read_back_by_its_place(bench: Bench) -> None:
    bench.run.tell("append nine entries in groups of three, over several segments")
    for number in range(1, 10, 3):
        payloads = [body(number, 200), body(number + 1), body(number + 2, 300)]
        appended = bench.append(*payloads, term=number, hard_state=HardState(Term(number), None))
        for index, (place, payload) in enumerate(zip(appended.places, payloads, strict=True), number):
            read = bench.log.read(place)
            found = bench.log.decode(place, bench.disk.read(read))
            wanted = Entry(LogIndex(index), Term(number), kind_of(payload), payload)
            if found != wanted:
                raise broken(5, expected=f"the record at {place} is {_told(wanted)}", found=f"`decode` says {_told(found)}")


def _told(entry: Entry) -> str:
    return f"entry {entry.index} of term {entry.term}, kind {entry.kind.name}, with {entry.payload[:12]!r}"


@sentence("1.13", 5, points=1)
def a_record_that_is_damaged_or_cut_short_is_reported_with_file_and_byte(bench: Bench) -> None:
    bench.run.tell("append entries 1 and 2, read the second with one bit changed, and cut short")
    bench.append(body(1, 100))
    place = bench.append(body(2, 100)).places[0]
    read = bench.log.read(place)
    whole = bench.disk.read(read)
    if len(whole) < 8 or len(whole) != place.size_bytes:
        raise broken(2, expected=f"at {place} lies a record of so many bytes", found=f"{len(whole)} bytes can be read there")
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
    except FormatError as error:
        if read.file in str(error) and str(read.at) in str(error):
            return
        expected = f"the FormatError names {read.file} and byte {read.at}, or nobody knows which of many records it is about"
        raise broken(5, expected=expected, found=f"it says {str(error)!r}") from error
    raise broken(5, expected="a record of a newer program is refused: FormatError", found="`decode` took it")


def _of_version(record: bytes, version: int) -> bytes:
    """A whole record with another version: the last byte but one of its header."""
    at = RECORD_HEADER_BYTES - 2
    data = record[4:at] + bytes([version]) + record[at + 1 :]
    return crc32(data).to_bytes(4, "little") + data


@sentence("1.14", 5, points=1)
def entries_come_in_order_and_some_bytes_at_a_time(bench: Bench) -> None:
    bench.run.tell("append 20 entries in groups of four, over several segments")
    for number in range(1, 21, 4):
        bench.append(*[body(n, 100) for n in range(number, number + 4)])
    for first, last, bytes_max in ((1, 20, 1 << 20), (3, 3, 1), (7, 18, 250), (20, 20, 1 << 20), (5, 20, 1), (2, 9, 0)):
        bench.run.tell(f"read entries {first} to {last}, about {bytes_max} bytes")
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
        check_stored(found, bench.disk)
    _entries_are_verified(bench)


def _entries_are_verified(bench: Bench) -> None:
    read = bench.log.read(bench.append(body(21, 100)).places[0])
    file, at = read.file, read.at + read.size_bytes - 7
    bench.run.tell(f"append entry 21; bit 2 of byte {at} of {file} changes on a copy of the disk; read entry 21 there")
    disk = bench.copy_of_disk()
    if at >= disk.files().get(file, 0):
        raise broken(2, expected=f"the record of entry 21 ends at byte {at + 7} of {file}", found="nothing is there")
    disk.flip_bit(file, at, 2)
    try:
        found = drive(bench.log.entries(LogIndex(21), LogIndex(21), 1 << 20), disk)
    except DamageError as error:
        if error.file != file or error.at > at:
            raise broken(
                5, expected=f"byte {at} of {file} has changed", found=f"the error names {error.file}, byte {error.at}"
            ) from error
    else:
        if [stored.entry.payload for stored in found] != [body(21, 100)]:  # else it was remembered, and not read
            raise broken(5, expected="entry 21 is damaged: DamageError", found="`entries` returned it with the changed bit")
    bench.run.tell("append entry 22, carry nothing out, and read it")
    bench.plan(body(22))
    try:
        drive(bench.log.entries(LogIndex(22), LogIndex(22), 1 << 20), bench.disk)
    except StateError:
        return
    raise broken(5, expected="entry 22 is not written yet: StateError", found="`entries` returned it")


@sentence("1.15", 10, points=1)
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


@sentence("1.16", 5, points=1)
def a_read_under_way_ends_with_what_it_found_when_the_log_changes(bench: Bench) -> None:
    for reads, term in ((1, 1), (2, 3)):
        _eight_entries(bench, term)
        _supersede_while_reading(bench, term + 1, reads)
    for after in (3, 6):  # what is before stays: it may have been read already, or may not
        for reads in range(1, _READS_MAX + 1):
            other = Bench(bench.make, bench.run, bench.segment_bytes)
            bench.run.tell("another log")
            _eight_entries(other, 1)
            if not _supersede_while_reading(other, 2, reads, after):
                break


def _eight_entries(bench: Bench, term: int) -> None:
    bench.run.tell(f"append entries 1 to 8, of term {term}")
    for number in range(1, 9):
        hard_state = HardState(Term(term), None) if number == 1 else None
        bench.append(body(10 * term + number, 250), after=number - 1, term=term, hard_state=hard_state)


def _supersede_while_reading(bench: Bench, term: int, reads: int, after: int = 0) -> bool:
    """All entries are read, and others take the place of those behind `after` while the disk reads. False when it was over."""
    bench.run.tell(f"read entries 1 to 8, about {1 << 20} bytes; other ones come when it has asked for bytes {reads} time(s)")
    reading = bench.log.entries(LogIndex(1), LogIndex(8), 1 << 20)
    seen = b""
    try:
        data = bench.disk.read(next(reading))
        for _ in range(reads - 1):
            seen += data
            data = bench.disk.read(reading.send(data))
        seen += data
    except StopIteration:  # what it read last is remembered: it was over before anything could come in between
        return False
    was_read = [entry for entry in bench.now.entries if entry[1] in seen]
    others = [body(10 * term + number, 250) for number in range(after + 1, 9)]
    bench.run.tell(f"append another entries {after + 1} to 8, of term {term}, and go on with the reading")
    bench.append(*others, after=after, term=term, hard_state=HardState(Term(term), None))
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
    return True
