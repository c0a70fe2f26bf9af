"""Writing and reading the commit log."""

import pytest

from mq.broker.store.record import GROUP_HEADER_BYTES, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, decode_group_header
from mq.core.entry import HardState, RecordPlace
from mq.core.errors import DamageError, StateError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Create, Sync, Write, perform
from tests.unit.store.helpers import LogOnDisk, bodies, body, drive_with, entry, numbered

# ---------------------------------------------------------------- writing


def test_a_new_log_is_empty() -> None:
    log = LogOnDisk().log
    assert (log.first_index, log.last_index, log.last_term, log.durable_index) == (1, 0, 0, 0)
    assert (log.first_position, log.end_position, log.durable_end) == (0, 0, 0)
    assert log.segments() == ()
    assert log.term_at(LogIndex(0)) == 0
    assert log.term_at(LogIndex(1)) is None
    assert log.note_durable() == ()
    assert not log.is_damaged


def test_a_group_is_one_write_and_one_sync_however_many_entries_it_has() -> None:
    log = LogOnDisk()
    log.append(b"first")  # makes the segment
    plan = log.plan(*bodies(2, 50)).plan
    assert [type(operation) for operation in plan] == [Write, Sync]


def test_places_say_where_each_record_lies() -> None:
    log = LogOnDisk()
    appended = log.append(b"one", b"", b"three")
    begin = SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES
    sizes = [RECORD_HEADER_BYTES + n for n in (3, 0, 5)]
    assert appended.places == (
        RecordPlace(CommitLogPosition(begin), sizes[0]),
        RecordPlace(CommitLogPosition(begin + sizes[0]), sizes[1]),
        RecordPlace(CommitLogPosition(begin + sizes[0] + sizes[1]), sizes[2]),
    )
    read = log.log.read(appended.places[2])
    assert log.log.decode(appended.places[2], log.disk.read(read)) == entry(3, b"three")


def test_an_append_is_durable_when_the_host_says_so_and_not_before() -> None:
    log = LogOnDisk()
    first, second = log.plan(b"1"), log.plan(b"2", b"3")
    assert (log.log.last_index, log.log.durable_index, log.log.durable_end) == (3, 0, 0)
    perform(log.disk, first.plan + second.plan)
    log.log.synced(first.sequence)
    assert log.log.durable_index == 1
    assert log.log.durable_end == second.places[0].position - GROUP_HEADER_BYTES
    log.log.synced(second.sequence)
    assert (log.log.durable_index, log.log.durable_end) == (3, log.log.end_position)


def test_one_word_of_the_host_covers_all_earlier_appends() -> None:
    log = LogOnDisk()
    waiting = [log.plan(b"%d" % number) for number in range(4)]
    for appended in waiting:
        perform(log.disk, appended.plan)
    log.log.synced(waiting[2].sequence)
    assert log.log.durable_index == 3


def test_each_group_carries_the_durable_end_before_it() -> None:
    log = LogOnDisk()
    log.append(b"1")
    end = log.log.durable_end
    second, third = log.plan(b"2"), log.plan(b"3")
    for appended in (second, third):
        write = appended.plan[0]
        assert isinstance(write, Write)
        header = decode_group_header("f", write.data)
        assert header is not None
        assert header.durable_end == end


@pytest.mark.parametrize(
    ("after", "entries", "message"),
    [
        (1, [], "without entries and without hard state"),
        (1, [entry(3)], "entry 3 cannot stand behind 1"),
        (7, [entry(8)], "the log holds 1 to 3"),
        (3, [entry(4, term=4), entry(6, term=4)], "entry 6 of term 4 cannot stand behind 4"),
        (3, [entry(4, term=5), entry(5, term=4)], "entry 5 of term 4 cannot stand behind 4 of term 5"),
        (3, [entry(4, term=1)], "entry 4 of term 1 cannot stand behind 3 of term 2"),
        (1, [entry(2, term=2)], "entry 2 of term 2 is in the log already"),
    ],
)
def test_entries_that_do_not_fit_are_refused_and_change_nothing(after: int, entries: list[object], message: str) -> None:
    log = LogOnDisk()
    log.append(*bodies(1, 3), term=2)
    before = (log.log.end_position, log.log.segments(), log.everything())
    with pytest.raises(StateError, match=message):
        log.log.append(LogIndex(after), entries)  # type: ignore[arg-type]
    assert (log.log.end_position, log.log.segments(), log.everything()) == before
    log.append(b"next", term=2)
    assert log.log.last_index == 4


def test_hard_state_is_saved_alone_or_with_entries() -> None:
    log = LogOnDisk()
    log.append(hard_state=HardState(Term(1), 2))
    assert (log.log.last_index, log.log.hard_state) == (0, HardState(Term(1), 2))
    log.append(b"1", term=2, hard_state=HardState(Term(2), None))
    found = log.reopened()
    assert found.recovery.hard_state == HardState(Term(2), None)
    assert found.everything() == [(1, 2, b"1")]


# ---------------------------------------------------------------- segments


def test_a_full_segment_ends_durably_before_the_next_one_is_made() -> None:
    log = LogOnDisk(segment_bytes=1024)
    log.append(body(1, 600))
    appended = log.plan(body(2, 600))
    old, new = (view.file for view in log.log.segments())
    kinds = [(type(operation), operation.file) for operation in appended.plan]
    assert kinds == [(Write, old), (Sync, old), (Create, new), (Write, new), (Sync, new), (Write, new), (Sync, new)]


def test_segments_follow_each_other_and_say_what_they_hold() -> None:
    log = LogOnDisk(segment_bytes=1024)
    for number in range(1, 8):
        log.append(body(number, 300))
    views = log.log.segments()
    assert [(v.first_index, v.last_index) for v in views] == [(1, 2), (3, 4), (5, 6), (7, 7)]
    assert [v.is_sealed for v in views] == [True] * (len(views) - 1) + [False]
    assert [v.base_position for v in views] == [1024 * n for n in range(len(views))]
    assert log.disk.files() == {v.file: 1024 for v in views}
    assert all(v.written_bytes <= v.size_bytes for v in views)
    assert log.everything() == numbered(1, 7, size_bytes=300)


def test_a_group_larger_than_a_segment_gets_a_segment_of_its_own_size() -> None:
    log = LogOnDisk(segment_bytes=1024)
    log.append(b"small")
    log.append(body(2, 5000))
    log.append(b"small again")
    assert [v.size_bytes > 1024 for v in log.log.segments()] == [False, True] + [False] * (len(log.log.segments()) - 2)
    assert log.reopened().payloads() == [b"small", body(2, 5000), b"small again"]


def test_a_segments_header_repeats_term_and_vote() -> None:
    log = LogOnDisk(segment_bytes=1024)
    log.append(body(1, 600), term=5, hard_state=HardState(Term(5), 3))
    log.append(body(2, 600), term=5)
    log.append(body(3, 600), term=5)
    log.drop_before(3)
    found = log.reopened()
    assert found.recovery.hard_state == HardState(Term(5), 3)
    assert found.log.term_at(LogIndex(2)) == 5


# ---------------------------------------------------------------- reading


def test_entries_come_in_runs_of_about_so_many_bytes_but_at_least_one() -> None:
    log = LogOnDisk()
    log.append(*bodies(1, 5, 100))
    log.append(*bodies(6, 9, 100))
    assert log.entries(1, 9) == numbered(1, 9, size_bytes=100)
    assert log.entries(4, 9, bytes_max=1) == numbered(4, 4, size_bytes=100)
    assert log.entries(4, 9, bytes_max=300) == numbered(4, 6, size_bytes=100)
    assert log.entries(5, 7) == numbered(5, 7, size_bytes=100)


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 4), (4, 4)])
def test_entries_that_are_not_there_are_refused(first: int, last: int) -> None:
    log = LogOnDisk()
    log.append(*bodies(1, 3))
    with pytest.raises(StateError, match="the log holds 1 to 3"):
        log.entries(first, last)


def test_a_position_outside_the_log_is_refused() -> None:
    log = LogOnDisk(segment_bytes=1024)
    log.append(b"1")
    with pytest.raises(StateError, match="position 1024 is not in the log"):
        log.log.read(RecordPlace(CommitLogPosition(1024), 10))


def test_an_entry_that_is_not_written_yet_is_no_damage() -> None:
    log = LogOnDisk()
    log.append(b"1")
    log.plan(b"2")
    with pytest.raises(StateError, match="entry 2 is not durable yet"):
        log.entries(1, 2)
    assert log.entries(1, 1) == [(1, 0, b"1")]


def test_every_flipped_bit_of_a_record_is_found_by_whoever_reads_it() -> None:
    log = LogOnDisk()
    appended = log.append(b"one", b"two")
    place = appended.places[1]
    for at in range(place.position, place.position + place.size_bytes):
        for bit in (0, 7):
            damaged = log.reopened()
            damaged.disk.flip(damaged.last_file(), at, bit)
            data = damaged.disk.read(damaged.log.read(place))
            with pytest.raises(DamageError, match="its checksum is wrong") as caught:
                damaged.log.decode(place, data)
            assert (caught.value.file, caught.value.at, caught.value.position) == (
                damaged.last_file(),
                place.position,
                place.position,
            )
            with pytest.raises(DamageError, match="no whole group stands where entry 1 should be"):
                damaged.entries(1, 2)


def test_a_record_that_is_cut_short_is_damage() -> None:
    log = LogOnDisk()
    (place,) = log.append(b"one").places
    data = log.disk.read(log.log.read(place))
    with pytest.raises(DamageError, match="the record is cut short"):
        log.log.decode(place, data[:-1])


def test_one_entry_of_a_long_log_is_found_by_a_small_read() -> None:
    log = LogOnDisk(segment_bytes=1 << 20)
    for number in range(1, 200):
        log.append(body(number, 4000))
    log.disk.read_bytes = 0
    assert log.entries(150, 150, 1) == [(150, 0, body(150, 4000))]
    assert log.disk.read_bytes <= 2 * (64 << 10) + 8000


# ---------------------------------------------------------------- marks


def test_a_mark_says_once_that_everything_is_durable() -> None:
    log = LogOnDisk()
    waiting = log.plan(b"1")
    assert log.log.note_durable() == ()  # something waits
    log.save(waiting)
    (write,) = log.log.note_durable()
    assert isinstance(write, Write)
    header = decode_group_header("f", write.data)
    assert header is not None
    assert (header.position, header.durable_end, header.record_count) == (log.log.durable_end, log.log.durable_end, 0)
    assert log.log.note_durable() == ()
    log.log.check()


def test_marks_never_take_the_room_of_the_group_that_ends_a_segment() -> None:
    for size_bytes in range(300, 500):
        log = LogOnDisk(segment_bytes=512)
        log.append(body(1, size_bytes - 200))
        log.mark()
        log.append(body(2, 200))
        log.mark()
        assert log.reopened().payloads() == [body(1, size_bytes - 200), body(2, 200)], size_bytes


# ---------------------------------------------------------------- taking back


def assert_is_as(log: LogOnDisk, other: LogOnDisk) -> None:
    """Both logs are in the same state, in memory, and after their next append on disk."""
    assert log.everything() == other.everything()
    for name in ("first_index", "last_index", "durable_index", "durable_end", "hard_state", "end_position", "last_term"):
        assert getattr(log.log, name) == getattr(other.log, name), name
    assert log.log.segments() == other.log.segments()
    assert log.log.checkpoint() == other.log.checkpoint()
    for one in (log, other):
        one.append(b"afterwards", term=99, hard_state=HardState(Term(99), 1))
    assert log.everything() == other.everything()
    assert log.reopened().everything() == other.everything()


def some_log() -> LogOnDisk:
    log = LogOnDisk(segment_bytes=1024)
    log.append(*bodies(1, 4), term=1)
    log.append(body(5, 300), term=2, hard_state=HardState(Term(2), 1))
    return log


TAKEN_BACK = {
    "plain": {"payloads": [b"x", b"y"], "term": 2},
    "new term": {"payloads": [b"x"], "term": 3, "hard_state": HardState(Term(3), None)},
    "roll": {"payloads": [body(6, 900)], "term": 2},
    "supersede": {"payloads": [b"x"], "after": 2, "term": 2},
    "supersede everything": {"payloads": [b"x"], "after": 0, "term": 3, "hard_state": HardState(Term(3), 2)},
    "supersede and roll": {"payloads": [body(3, 900)], "after": 2, "term": 2},
    "hard state": {"payloads": [], "hard_state": HardState(Term(7), None)},
    "hard state with entries": {"payloads": [b"x"], "term": 7, "hard_state": HardState(Term(7), 2)},
}


def plan(log: LogOnDisk, name: str) -> int:
    arguments = dict(TAKEN_BACK[name])
    payloads = arguments.pop("payloads")
    assert isinstance(payloads, list)
    return log.plan(*payloads, **arguments).sequence  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TAKEN_BACK)
def test_an_abandoned_append_never_was(name: str) -> None:
    log = some_log()
    log.log.abandon(plan(log, name))
    log.log.check()
    assert_is_as(log, some_log())


@pytest.mark.parametrize("name", TAKEN_BACK)
@pytest.mark.parametrize("earlier", ["plain", "roll", "supersede", "hard state with entries"])
@pytest.mark.parametrize("synced_before", [True, False])
def test_an_abandoned_append_leaves_the_one_that_waits_before_it(name: str, earlier: str, synced_before: bool) -> None:
    logs = []
    for is_taken_back in (True, False):
        log = some_log()
        arguments = dict(TAKEN_BACK[earlier])
        payloads = arguments.pop("payloads")
        assert isinstance(payloads, list)
        first = log.plan(*payloads, **arguments)  # type: ignore[arg-type]
        if is_taken_back:
            after = log.log.last_index if "supersede" not in name else 1
            later = log.plan(b"z", after=after, term=50, hard_state=HardState(Term(50), None))
            if synced_before:
                log.save(first)
            log.log.abandon(later.sequence)
            log.log.check()
        if not (is_taken_back and synced_before):
            log.save(first)
        logs.append(log)
    assert_is_as(*logs)


@pytest.mark.parametrize("first", TAKEN_BACK)
@pytest.mark.parametrize("second", ["plain", "roll", "supersede everything"])
def test_appends_are_taken_back_one_by_one_from_the_newest(first: str, second: str) -> None:
    log = some_log()
    one = plan(log, first)
    arguments = dict(TAKEN_BACK[second])
    payloads = arguments["payloads"]
    assert isinstance(payloads, list)
    after = 0 if "supersede" in second else None
    two = log.plan(*payloads, after=after, term=60, hard_state=HardState(Term(60), None)).sequence
    with pytest.raises(StateError, match="it is not the newest"):
        log.log.abandon(one)
    log.log.abandon(two)
    log.log.abandon(one)
    log.log.check()
    assert_is_as(log, some_log())


def test_what_is_durable_cannot_be_taken_back() -> None:
    log = some_log()
    sequence = log.append(b"x").sequence
    with pytest.raises(StateError, match="or it is durable"):
        log.log.abandon(sequence)


def test_a_roll_that_was_taken_back_is_done_again_so_that_its_file_cannot_contradict_the_log() -> None:
    log = some_log()
    appended = log.plan(body(6, 900))
    perform(log.disk, appended.plan[:-2])  # the disk is full when the group is written: the new file is there
    log.log.abandon(appended.sequence)
    assert log.log.note_durable() == ()
    log.append(b"small")  # had room in the old segment
    found = log.reopened()
    assert found.recovery.damage == ()
    assert found.payloads() == [*some_log().payloads(), b"small"]


def test_the_mark_behind_an_abandoned_append_covers_what_was_written_of_it() -> None:
    log = some_log()
    log.mark()
    appended = log.plan(b"refused")
    perform(log.disk, appended.plan[:1])  # all of it is in the file; the sync fails for want of room
    log.log.abandon(appended.sequence)
    assert log.reopened().payloads()[-1] == b"refused"
    log.mark()
    assert log.reopened().payloads() == some_log().payloads()


def test_what_retention_takes_away_under_a_reader_is_no_damage() -> None:
    log = LogOnDisk(segment_bytes=1024)
    for number in range(1, 6):
        log.append(body(number, 400))
    steps = log.log.entries(LogIndex(1), LogIndex(4), 1 << 20)
    with pytest.raises(StateError, match=r"not kept any more|not in the log"):
        drive_with(steps, log.disk, lambda _: log.drop_before(4))


@pytest.mark.parametrize("after", range(1, 7))
@pytest.mark.parametrize("at_read", range(7))
def test_a_read_never_mixes_entries_with_those_that_supersede_them(after: int, at_read: int) -> None:
    log = LogOnDisk(segment_bytes=1024)
    for number in range(1, 8):
        log.append(body(number, 400), term=1)
    old = log.everything()

    def supersede(number: int) -> None:
        if number == at_read:
            log.append(b"x", b"y", after=after, term=2)

    steps = log.log.entries(LogIndex(2), LogIndex(7), 1 << 20)
    found = [(int(e.index), int(e.term), e.payload) for e, _ in drive_with(steps, log.disk, supersede)]
    assert found
    new = log.everything()
    assert found in (old[1 : 1 + len(found)], new[1 : 1 + len(found)])
