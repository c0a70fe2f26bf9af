"""Opening a log: what was synced is there, a torn write is cut, damage is reported and never cut."""

from struct import pack
from zlib import crc32

import pytest

from mq.broker.store.commit_log import Checkpoint
from mq.broker.store.record import GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES, encode_group
from mq.core.entry import HardState
from mq.core.errors import DamageError, FormatError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Read, Remove, Sync, Write, drive, perform
from tests.unit.store.helpers import SMALL_BYTES, LogOnDisk, bodies, body, entry, numbered

FIRST = "log/00000000000000000000.log"


def written(count: int = 9, segment_bytes: int = SMALL_BYTES) -> LogOnDisk:
    """Entries of 200 bytes, three in a segment."""
    log = LogOnDisk(segment_bytes=segment_bytes)
    for number in range(1, count + 1):
        log.append(body(number, 200))
    return log


def assert_goes_on(log: LogOnDisk) -> None:
    """A recovered log takes entries, and they are found again."""
    before = log.everything()
    log.append(b"afterwards")
    assert log.reopened().everything() == [*before, (len(before) + log.log.first_index, log.log.last_term, b"afterwards")]


def assert_untouched(found: LogOnDisk, disk_before: dict[str, bytearray]) -> None:
    """Damage: nothing is repaired, nothing is appended."""
    assert found.recovery.repairs == ()
    assert found.disk.data == disk_before
    assert found.log.note_durable() == ()
    with pytest.raises(DamageError, match="nothing is appended to a damaged log"):
        found.append(hard_state=HardState(Term(9), None))


# ---------------------------------------------------------------- nothing is wrong


def test_an_empty_folder_is_an_empty_log() -> None:
    recovery = LogOnDisk().recovery
    assert (recovery.first_index, recovery.last_index, recovery.repairs, recovery.scanned_bytes) == (1, 0, (), 0)


def test_what_was_synced_is_there() -> None:
    log = written()
    log.append(b"ten", term=3, hard_state=HardState(Term(3), 1))
    found = log.reopened()
    assert found.everything() == [*numbered(1, 9, size_bytes=200), (10, 3, b"ten")]
    recovery = found.recovery
    assert (recovery.first_index, recovery.last_index, recovery.last_term) == (1, 10, 3)
    assert recovery.hard_state == HardState(Term(3), 1)
    assert recovery.end_position == recovery.durable_end == log.log.end_position
    assert (recovery.torn, recovery.damage) == (None, ())
    assert found.log.segments() == log.log.segments()
    assert_goes_on(found)


def test_other_files_are_let_alone() -> None:
    log = written(2)
    for name in ("log/1.log", "log/abc.log", "log/00000000000000000000.log.old", "00000000000000000000.log", "snapshots/x"):
        log.disk.data[name] = bytearray(b"something else")
    assert log.reopened().payloads() == bodies(1, 2, 200)


# ---------------------------------------------------------------- torn writes


def test_a_write_that_stopped_at_any_byte_is_cut_and_nothing_else() -> None:
    log = written(2)
    end = log.log.end_position
    appended = log.plan(*bodies(3, 4, 40))
    (write, _) = appended.plan
    assert isinstance(write, Write)
    for size in range(len(write.data)):
        torn = log.reopened()
        torn.disk.perform(Write(write.file, write.at, write.data[:size]))
        found = torn.reopened()
        is_whole = not any(write.data[size:])  # what is missing is padding
        assert found.payloads() == bodies(1, 4 if is_whole else 2, 200)[:2] + (bodies(3, 4, 40) if is_whole else [])
        if not is_whole and size:
            assert found.recovery.torn is not None
            assert (found.recovery.torn.file, found.recovery.torn.at) == (FIRST, end)
            assert not any(found.disk.data[FIRST][end:])
        assert_goes_on(found)


@pytest.mark.parametrize("sectors", range(15))
def test_a_group_of_many_sectors_counts_only_when_all_of_them_arrived(sectors: int) -> None:
    log = LogOnDisk(segment_bytes=1 << 14)
    log.append(b"synced")
    at = log.log.end_position
    (write, _) = log.plan(body(2, 1800)).plan
    assert isinstance(write, Write)
    torn = log.reopened()
    pieces = [(begin, min(begin + 512, at + len(write.data))) for begin in range(at - at % 512, at + len(write.data), 512)]
    assert len(pieces) == 4
    for number, (begin, end) in enumerate(pieces):
        if sectors >> number & 1:
            begin_in = max(begin, at)
            torn.disk.perform(Write(write.file, begin_in, write.data[begin_in - at : end - at]))
    found = torn.reopened()
    assert found.payloads() == [b"synced"]
    assert (found.recovery.torn is not None) == bool(sectors)
    # A group as long as the one that was lost: if its end came back to life, it would be found now.
    found.append(body(2, 1000))
    assert found.reopened().payloads() == [b"synced", body(2, 1000)]


def test_groups_behind_a_torn_one_that_were_never_synced_prove_nothing() -> None:
    log = written(2)
    first, second = log.plan(body(3, 100)), log.plan(body(4, 100))
    perform(log.disk, (*first.plan, *second.plan))
    log.flip(first.places[0].position)
    found = log.reopened()
    assert found.payloads() == bodies(1, 2, 200)
    assert found.recovery.torn is not None
    assert not any(found.disk.data[FIRST][found.log.end_position :])
    assert_goes_on(found)


@pytest.mark.parametrize("size", [1, 47, 100, 260])
def test_a_crash_in_the_middle_of_the_repairs_is_repaired(size: int) -> None:
    log = written(2)
    appended = log.plan(body(3, 250))
    perform(log.disk, appended.plan)
    log.flip(appended.places[0].position + 200)
    opened = log.disk.copy()
    found = LogOnDisk(opened.copy(), segment_bytes=SMALL_BYTES)
    for operation in found.recovery.repairs:
        if isinstance(operation, Write):
            opened.perform(Write(operation.file, operation.at, operation.data[:size]))
    again = LogOnDisk(opened, segment_bytes=SMALL_BYTES)
    assert again.payloads() == bodies(1, 2, 200)
    assert not any(again.disk.data[FIRST][again.log.end_position :])
    assert_goes_on(again)


def test_the_repairs_end_with_a_sync() -> None:
    log = written(2)
    log.disk.perform(log.plan(b"x").plan[0])
    found = log.reopened()
    assert found.recovery.repairs[-1:] == (Sync(FIRST),)
    assert found.log.durable_index == 3  # it was there, so it stays


def test_what_is_not_known_to_be_durable_is_written_again_before_the_sync() -> None:
    """After a failed sync the pages are read as if all were well, and no later sync makes them durable."""
    log = LogOnDisk()
    log.append(b"one")
    first_end = log.log.end_position
    log.append(b"two")
    begin, end = first_end, log.log.end_position
    content = bytes(log.disk.data[FIRST])
    assert log.reopened().recovery.repairs == (Write(FIRST, begin, content[begin:end]), Sync(FIRST))
    log.mark()
    content = bytes(log.disk.data[FIRST])
    assert log.reopened().recovery.repairs == (Write(FIRST, end, content[end : log.log.end_position]), Sync(FIRST))
    (checkpoint, content) = log.log.checkpoint(), bytes(log.disk.data[FIRST])
    log.append(b"three")
    (write, _) = log.reopened(checkpoint=checkpoint).recovery.repairs
    assert isinstance(write, Write)
    assert write.at == checkpoint.position


def test_of_a_new_segment_the_header_is_written_again_too() -> None:
    log = written(3)
    perform(log.disk, log.plan(body(4, 400)).plan[:4])  # the sync of the header failed
    content = bytes(log.disk.data[log.last_file()])
    assert log.reopened().recovery.repairs == (Write(log.last_file(), 0, content[:SEGMENT_HEADER_BYTES]), Sync(log.last_file()))


def test_a_message_that_looks_like_a_group_is_none() -> None:
    log = LogOnDisk()
    log.append(b"first")
    begin = log.log.end_position + GROUP_HEADER_BYTES + 26
    imitation, _ = encode_group(begin, 1 << 40, [entry(7, b"imitation", 9)])
    appended = log.plan(imitation, b"behind it")
    assert appended.places[0].position + 26 == begin
    perform(log.disk, appended.plan)
    assert log.reopened().payloads() == [b"first", imitation, b"behind it"]
    log.flip(appended.places[1].position)
    found = log.reopened()
    assert found.recovery.damage == ()  # the imitation proves nothing
    assert found.payloads() == [b"first"]


# ---------------------------------------------------------------- a segment that is being made


def roll(log: LogOnDisk) -> tuple[Write, Create, Write, Write]:
    """The operations of an append that begins a new segment: end, make, header, group."""
    end, _, create, header, _, group, _ = log.plan(body(4, 400)).plan
    assert isinstance(end, Write)
    assert isinstance(create, Create)
    assert isinstance(header, Write)
    assert isinstance(group, Write)
    return end, create, header, group


@pytest.mark.parametrize("carried_out", range(5))
def test_a_crash_while_a_segment_is_made_loses_only_what_was_under_way(carried_out: int) -> None:
    log = written(3)
    before = log.reopened()
    for operation in roll(log)[:carried_out]:
        before.disk.perform(operation)
    found = before.reopened()
    assert found.recovery.damage == ()
    assert found.payloads() == bodies(1, 3, 200) + ([body(4, 400)] if carried_out == 4 else [])
    assert_goes_on(found)


@pytest.mark.parametrize("size", [0, 1, 30, SEGMENT_HEADER_BYTES - 8])
def test_a_torn_header_with_nothing_behind_it_is_a_segment_that_was_being_made(size: int) -> None:
    log = written(3)
    before = log.reopened()
    end, create, header, _ = roll(log)
    perform(before.disk, (end, create, Write(header.file, 0, header.data[:size])))
    found = before.reopened()
    assert found.recovery.damage == ()
    assert Remove(create.file) in found.recovery.repairs
    assert found.recovery.torn is not None
    assert found.payloads() == bodies(1, 3, 200)
    assert_goes_on(found)


# ---------------------------------------------------------------- damage


def test_every_damaged_byte_below_the_durable_end_is_reported_where_it_is_and_never_cut() -> None:
    log = written(5)
    log.mark()
    places = [place for number in range(1, 6) for place in [_place(log, number)]]
    for number, (file, at, size_bytes) in enumerate(places, 1):
        for byte in (at - GROUP_HEADER_BYTES, at - 1, at, at + 4, at + size_bytes - 1):
            damaged = log.disk.copy()
            damaged.flip(file, byte)
            before = {name: content[:] for name, content in damaged.data.items()}
            found = LogOnDisk(damaged, segment_bytes=SMALL_BYTES)
            (damage,) = found.recovery.damage
            assert (damage.file, damage.at, damage.first_index) == (file, at - GROUP_HEADER_BYTES, number)
            assert found.recovery.last_index == number - 1
            if number == 5:
                assert damage.resumes_at is not None  # the mark
            assert_untouched(found, before)


def _place(log: LogOnDisk, number: int) -> tuple[str, int, int]:
    """(file, byte, size) of an entry's record."""
    ((_, place),) = drive(log.log.entries(LogIndex(number), LogIndex(number), 1), log.disk)
    found = log.log.read(place)
    return found.file, found.at, found.size_bytes


def test_damage_says_where_whole_groups_go_on() -> None:
    log = written(6)
    file, at, _ = _place(log, 2)
    log.disk.flip(file, at)
    (damage,) = log.reopened().recovery.damage
    third_file, third_at, _ = _place(written(6), 3)
    assert third_file == FIRST
    assert damage.resumes_at == third_at - GROUP_HEADER_BYTES
    assert "a later segment proves that it was synced" in damage.reason


def test_zeros_below_the_durable_end_are_damage() -> None:
    log = written(3)
    file, at, size_bytes = _place(log, 2)
    log.disk.data[file][at - GROUP_HEADER_BYTES : at + size_bytes] = bytes(GROUP_HEADER_BYTES + size_bytes)
    (damage,) = log.reopened().recovery.damage
    assert damage.at == at - GROUP_HEADER_BYTES
    assert "nothing stands where a group must be, below the durable end" in damage.reason


def test_the_last_group_may_only_be_told_from_a_torn_write_by_a_mark_or_a_checkpoint() -> None:
    log = written(3)
    checkpoint = log.log.checkpoint()
    file, at, _ = _place(log, 3)
    log.disk.flip(file, at)
    assert log.reopened().recovery.torn is not None  # this is what a torn write looks like, too
    log.disk.flip(file, at)
    log.mark()
    log.disk.flip(file, at)
    assert log.reopened().recovery.damage[0].first_index == 3
    assert log.reopened(checkpoint=checkpoint).recovery.damage == ()  # passed over ...
    with pytest.raises(DamageError, match="no whole group stands"):
        log.reopened(checkpoint=checkpoint).everything()  # ... and found by reading


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("how", ["flip", "zero", "nonsense"])
def test_a_damaged_segment_header_is_reported_whichever_segment_it_is(number: int, how: str) -> None:
    log = written(7)
    view = log.log.segments()[number]
    content = log.disk.data[view.file]
    if how == "flip":
        content[20] ^= 1
    else:
        content[:SEGMENT_HEADER_BYTES] = bytes(SEGMENT_HEADER_BYTES) if how == "zero" else b"?" * SEGMENT_HEADER_BYTES
    before = {name: content[:] for name, content in log.disk.data.items()}
    found = log.reopened()
    (damage,) = found.recovery.damage
    assert (damage.file, damage.at, damage.position) == (view.file, 0, view.base_position)
    assert damage.first_index == view.first_index
    assert damage.resumes_at == view.base_position + SEGMENT_HEADER_BYTES
    assert found.recovery.last_index == view.first_index - 1
    assert_untouched(found, before)


def test_a_missing_segment_is_reported() -> None:
    log = written(9)
    views = log.log.segments()
    del log.disk.data[views[1].file]
    before = {name: content[:] for name, content in log.disk.data.items()}
    found = log.reopened()
    (damage,) = found.recovery.damage
    assert (damage.file, damage.position, damage.first_index) == (views[1].file, SMALL_BYTES, 4)
    assert damage.resumes_at == 2 * SMALL_BYTES + SEGMENT_HEADER_BYTES
    assert_untouched(found, before)


def test_a_segment_under_a_wrong_name_is_reported() -> None:
    log = written(9)
    views = log.log.segments()
    log.disk.data[views[2].file] = log.disk.data[views[1].file][:]
    (damage,) = log.reopened().recovery.damage
    assert damage.file == views[2].file
    assert f"begins at {SMALL_BYTES}" in damage.reason


@pytest.mark.parametrize("number", [0, 2])
def test_a_segment_that_was_cut_short_is_reported_wherever_the_cut_is(number: int) -> None:
    log = written(9)
    view = log.log.segments()[number]
    for size_bytes in range(1, view.size_bytes, 7):
        disk = log.disk.copy()
        del disk.data[view.file][size_bytes:]
        before = {name: content[:] for name, content in disk.data.items()}
        found = LogOnDisk(disk, segment_bytes=SMALL_BYTES)
        damage = found.recovery.damage[0]
        assert damage.file == view.file
        assert damage.at <= size_bytes
        assert_untouched(found, before)


def test_a_whole_group_that_does_not_continue_the_log_is_damage() -> None:
    log = written(2)
    position = int(log.log.end_position)
    group, _ = encode_group(position, position, [entry(9, b"from nowhere")])
    log.disk.perform(Write(FIRST, position, group))
    (damage,) = log.reopened().recovery.damage
    assert (damage.at, damage.first_index) == (position, 3)
    assert "the group is whole but does not continue the log: entry 9" in damage.reason


# ---------------------------------------------------------------- checkpoints


def test_opening_from_a_checkpoint_finds_what_opening_without_finds() -> None:
    log = LogOnDisk(segment_bytes=SMALL_BYTES)
    checkpoints = [log.log.checkpoint()]
    for number in range(1, 12):
        log.append(body(number, 200), term=number // 4, hard_state=HardState(Term(number // 4), number % 3))
        if number % 3 == 0:
            log.mark()
        checkpoints.append(log.log.checkpoint())
    full = log.reopened()
    for checkpoint in checkpoints:
        found = log.reopened(checkpoint=Checkpoint.from_bytes(checkpoint.to_bytes()))
        assert found.recovery.damage == ()
        assert found.everything() == full.everything()
        assert found.recovery.hard_state == full.recovery.hard_state
        assert found.outline() == full.outline()
        assert found.log.checkpoint() == full.log.checkpoint()
        assert_goes_on(found)


def test_a_log_that_ends_before_its_snapshot_is_reported() -> None:
    log = written(9)
    checkpoint = log.log.checkpoint()
    views = log.log.segments()
    for lost, file in (([views[2].file], views[1].file), ([view.file for view in views], FIRST)):
        left = log.disk.copy()
        for name in lost:
            left.perform(Remove(name))
        recovery = LogOnDisk(left, segment_bytes=SMALL_BYTES, checkpoint=checkpoint).recovery
        assert [damage.file for damage in recovery.damage] == [file]
        assert f"a snapshot says that it reached {checkpoint.position}" in recovery.damage[0].reason
        assert recovery.repairs == ()


def test_a_lost_end_is_reported_when_a_checkpoint_knows_better() -> None:
    log = written(2)
    early = log.log.checkpoint()
    log.append(b"three")
    late = log.log.checkpoint()
    log.disk.data[FIRST][early.position :] = bytes(len(log.disk.data[FIRST]) - early.position)
    assert log.reopened(checkpoint=early).recovery.damage == ()
    # From the late one opening begins behind the loss: it is found as soon as it is read.
    with pytest.raises(DamageError):
        log.reopened(checkpoint=late).everything()


def test_opening_from_a_checkpoint_reads_the_tail_alone_however_long_the_log_is() -> None:
    costs = []
    for segments in (10, 40):
        log = LogOnDisk(segment_bytes=1 << 14)
        while len(log.log.segments()) < segments:
            log.append(*bodies(1, 10, 400))
        checkpoint = log.log.checkpoint()
        log.append(b"behind the checkpoint")
        log.disk.perform(log.plan(b"torn").plan[0])
        log.flip(log.log.end_position - 9)
        found = log.reopened(checkpoint=checkpoint)
        assert found.recovery.torn is not None
        assert found.payloads()[-1] == b"behind the checkpoint"
        fresh = log.disk.copy()
        again = LogOnDisk(fresh, segment_bytes=1 << 14, checkpoint=checkpoint)
        assert fresh.read_bytes == again.recovery.scanned_bytes
        costs.append(fresh.read_bytes - segments * SEGMENT_HEADER_BYTES)
        elsewhere = [read for read in fresh.reads if read.file != log.last_file()]
        assert {(read.at, read.size_bytes) for read in elsewhere} == {(0, SEGMENT_HEADER_BYTES)}
    # Beside the headers: the last segment from the checkpoint on, once for groups and once behind the last of them.
    assert max(costs) <= 2 * (1 << 14)
    assert sum(len(content) for content in log.disk.data.values()) >= 20 * max(costs)


def test_damage_in_a_part_that_opening_passed_over_is_found_by_reading() -> None:
    log = written(9)
    checkpoint = log.log.checkpoint()
    file, at, size_bytes = _place(log, 2)
    log.disk.flip(file, at + 30)
    found = log.reopened(checkpoint=checkpoint)
    assert found.recovery.damage == ()
    with pytest.raises(DamageError) as caught:
        found.entries(2, 2)
    assert (caught.value.file, caught.value.at) == (file, at - GROUP_HEADER_BYTES)
    assert found.entries(4, 9) == numbered(4, 9, size_bytes=200)
    assert found.disk.read(Read(file, at, size_bytes)) != b""


def test_an_old_entry_is_found_while_an_append_to_its_segment_is_not_written_yet() -> None:
    log = written(2)
    found = log.reopened(checkpoint=log.log.checkpoint())
    found.plan(b"not written yet")
    assert found.entries(1, 2) == numbered(1, 2, size_bytes=200)


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "nonsense"])
def test_a_damaged_checkpoint_is_reported(damage: str) -> None:
    data = written(4).log.checkpoint().to_bytes()
    changed = {"empty": b"", "short": data[:-1], "flipped": bytes([data[0], data[1] ^ 1]) + data[2:], "nonsense": b"x" * 60}
    with pytest.raises(DamageError, match="the checkpoint of the commit log is damaged"):
        Checkpoint.from_bytes(changed[damage])


def test_a_checkpoint_of_another_version_is_refused() -> None:
    body_bytes = b"\2" + written(4).log.checkpoint().to_bytes()[1:-4]
    with pytest.raises(FormatError, match="checkpoint version 2"):
        Checkpoint.from_bytes(body_bytes + crc32(body_bytes).to_bytes(4, "little"))


# ---------------------------------------------------------------- other versions


@pytest.mark.parametrize(
    ("at", "version_at", "covered", "what"),
    [
        (0, 8, (8, SEGMENT_HEADER_BYTES - 4), "segment"),
        (SEGMENT_HEADER_BYTES, 32, (8, GROUP_HEADER_BYTES), "group"),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_log_of_a_newer_program_is_refused_and_nothing_is_touched(
    at: int, version_at: int, covered: tuple[int, int], what: str, number: int
) -> None:
    log = written(9)
    content = log.disk.data[log.log.segments()[number].file]
    content[at + version_at] = 3
    content[at + 4 : at + 8] = pack("<I", crc32(content[at + covered[0] : at + covered[1]]))
    log.disk.done.clear()
    before = {name: content[:] for name, content in log.disk.data.items()}
    with pytest.raises(FormatError, match=f"{what} format version 3 is not known to this program"):
        log.reopened()
    assert log.disk.data == before
