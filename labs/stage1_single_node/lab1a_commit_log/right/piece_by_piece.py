"""All that a student writes, in other words: headers and repairs go to the disk in small pieces, and each repair is synced.

The last segment is always written again as a whole, marks are synced, zeros reach to the next sector, sizes are multiples of 64.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, takewhile
from typing import TypeAlias

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Given
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import Recovery, StoredEntry, TornTail
from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_record,
    encode_group,
    encode_segment_header,
)
from mq.broker.store.recovery import _Recovery
from mq.broker.store.scan import Group, GroupReader, _map_inside, _missing
from mq.broker.store.segment import Segment
from mq.broker.store.survey import Flaw, survey_segments
from mq.broker.store.tail import Rest
from mq.broker.store.unsynced import Before, UnsyncedAppends
from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError
from mq.core.ids import CommitLogPosition, EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Read, Remove, Steps, Sync, Write

__all__ = ["CommitLog"]

Pieces: TypeAlias = Iterator[tuple[int, int]]
_PIECE_BYTES, _SECTOR_BYTES, _SIZE_STEP = 500, 512, 64
_EXTRA_BYTES = 128
"""Of a group, besides its records: more than its header, a hard state, a place and what fills it up."""


def _pieces(begin: int, end: int) -> Pieces:
    """(begin, end) of each."""
    return pairwise([*range(begin, end, _PIECE_BYTES), end])


def _rounded(number: int, step: int) -> int:
    return -(-number // step) * step


class _Unsynced(UnsyncedAppends):
    """The same queue; what is durable is worked out of it."""

    def synced(self, sequence: int) -> None:
        done = list(takewhile(lambda waiting: waiting.sequence <= sequence, self._waiting))
        if not done:
            return
        del self._waiting[: len(done)]
        state = self._state
        state.durable_end = CommitLogPosition(max(state.durable_end, *(waiting.end_position for waiting in done)))
        state.synced_index = done[-1].last_index

    @property
    def durable_index(self) -> LogIndex:
        index = self._state.synced_index
        for begin in filter(None, (waiting.before.superseded_from for waiting in self._waiting)):
            index = LogIndex(min(index, begin - 1))
        return index


class CommitLog(Given):
    """Derived from what is given, with all methods anew that are a student's."""

    def __init__(self, *, segment_bytes: int = 64 << 20) -> None:
        super().__init__(segment_bytes=segment_bytes)
        self._unsynced = _Unsynced(self._state)

    # --- writing

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        terms = [(int(entry.index), int(entry.term)) for entry in entries]
        self._check_append(after_index, terms, hard_state)
        size = _EXTRA_BYTES + sum(RECORD_HEADER_BYTES + len(entry.payload) for entry in entries)
        before = self._before(after_index, size, has_entries=bool(entries))
        plan: list[Operation] = []
        if before.is_roll:
            self._state.segments.add(self._roll(size, plan))
        data, places = self._enter(after_index, entries, hard_state, before)
        segment = self._state.segments[-1]
        plan += [Write(segment.file, segment.end_position - len(data) - segment.base_position, data), Sync(segment.file)]
        self._sequence += 1
        self._unsynced.add(self._sequence, before)
        return Appended(tuple(plan), places, self._sequence)

    def _before(self, after_index: LogIndex, size: int, *, has_entries: bool) -> Before:
        state, segments = self._state, self._state.segments
        return Before(
            last_index=state.last_index,
            hard_state=state.hard_state,
            noted_end=state.noted_end,
            end_position=segments.end_position,
            superseded_from=after_index + 1 if has_entries and after_index < state.last_index else None,
            tail=state.map.tail(after_index + 1) if has_entries else None,
            is_roll=not segments or self._must_roll or not segments[-1].has_room(size),
        )

    def _enter(
        self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None, before: Before
    ) -> tuple[bytes, tuple[RecordPlace, ...]]:
        """The group is in the log from now on. Returns its bytes, and where its records lie."""
        state = self._state
        segment = state.segments[-1]
        place = None
        if entries and entries[0].index < segment.next_index:
            place = EntryId(self.term_at(after_index) or Term(0), after_index)
        position = segment.end_position
        data, sizes = encode_group(position, state.durable_end, entries, hard_state, before=place)
        begins = accumulate(sizes, initial=position + GROUP_HEADER_BYTES)
        if entries:
            before.lowered = state.enter([(entry.index, entry.term) for entry in entries], position, segment)
        segment.end_position += len(data)
        state.noted_end = state.durable_end
        state.hard_state = hard_state or state.hard_state
        self._must_roll = self._must_mark = False
        return data, tuple(RecordPlace(CommitLogPosition(at), size) for at, size in zip(begins, sizes, strict=False))

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        state = self._state
        (term, index), hard_state = reset_to or (EntryId(self.last_term, self.last_index), self.hard_state)
        base = behind = 0
        if state.segments:
            old = state.segments[-1]
            last, _ = encode_group(old.end_position, state.durable_end, [], ends_segment=True)
            plan += [Sync(old.file), Write(old.file, old.end_position - old.base_position, last), Sync(old.file)]
            old.end_position += len(last)
            base, behind = old.next_base, old.end_position
        size = max(self._segment_bytes, SEGMENT_HEADER_BYTES + group_bytes + 2 * GROUP_HEADER_BYTES)
        segment = Segment(base, _rounded(size, _SIZE_STEP), index + 1, base + SEGMENT_HEADER_BYTES)
        header = SegmentHeader(base, segment.size_bytes, index + 1, term, behind, hard_state, reset_to is not None)
        data = encode_segment_header(header)
        plan.append(Create(segment.file, segment.size_bytes))
        plan += (Write(segment.file, begin, data[begin : begin + 24]) for begin in range(0, len(data), 24))
        plan.append(Sync(segment.file))
        return segment

    def note_durable(self) -> Plan:
        state = self._state
        is_said = state.noted_end == state.durable_end and not self._must_mark
        if self._unsynced or self._must_roll or self.is_damaged or is_said or not state.segments:
            return ()
        segment = state.segments[-1]
        if not segment.has_room(0):
            return ()
        mark, _ = encode_group(segment.end_position, state.durable_end, [])
        at = segment.end_position - segment.base_position
        segment.end_position += len(mark)
        state.noted_end, self._must_mark = state.durable_end, False
        return Write(segment.file, at, mark), Sync(segment.file)

    def abandon(self, sequence: int) -> None:
        was = self._unsynced.take_back(sequence)
        self._must_roll |= was.is_roll
        self._must_mark = True

    def drop_before(self, index: LogIndex) -> Plan:
        state = self._state
        if self._unsynced.is_superseding:
            return ()
        pairs = pairwise(list(state.segments))
        going = takewhile(lambda pair: pair[1].next_index <= index and pair[1].first_group_position < state.durable_end, pairs)
        plan = tuple(Remove(state.segments.take_first().file) for _ in list(going))
        if plan:
            state.first_index = LogIndex(state.segments[0].next_index)
            state.map.drop_before(state.first_index, state.segments.first_position)
        return plan

    # --- reading

    def read(self, place: RecordPlace) -> Read:
        segment = self._state.segments.at(place.position)
        return Read(segment.file, place.position - segment.base_position, place.size_bytes)

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        match self.read(place):
            case Read(file=file, at=at):
                try:
                    entry = decode_record(data)
                except FormatError as error:
                    raise FormatError(f"{file}, byte {at}: {error}") from error
        if entry is None:
            raise DamageError(file, at, f"the record of {place.size_bytes} bytes is not what was written", place.position)
        return entry

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        if first < self.first_index or last < first or last > self.last_index:
            return super().entries(first, last, bytes_max)  # which says why not
        return _Reading(self._state, first, last, bytes_max).steps()

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        survey = yield from survey_segments(files)
        return (yield from _Opening(self._state, survey, checkpoint).run())


class _Reading:
    """One read of some entries."""

    def __init__(self, state: LogState, first: int, last: int, bytes_max: int) -> None:
        self.state, self.wanted, self.last = state, first, last
        self.bytes_left = bytes_max
        self.found: list[StoredEntry] = []
        self.durable_end = state.durable_end
        self.superseded_count = state.superseded_count

    @property
    def is_enough(self) -> bool:
        return self.wanted > min(self.last, self.state.last_index) or (self.bytes_left <= 0 and bool(self.found))

    def steps(self) -> Steps[tuple[StoredEntry, ...]]:
        while not self.is_enough:
            position, upto = self.state.locate(self.wanted)
            segment = self.state.segments.at(position)
            if position < segment.unmapped_end:
                yield from _map_inside(self.state, segment)
                continue
            limit = min(self.last, self.state.last_index if upto is None else upto)
            if not (yield from self.way(GroupReader(segment, position, 256), limit)):
                break
        return tuple(self.found)

    def way(self, reader: GroupReader, limit: int) -> Steps[bool]:
        """Group by group, up to an entry. False when nothing more is to be read."""
        while self.wanted <= limit and not self.is_enough:
            group = yield from reader.next_group()
            if self.superseded_count != self.state.superseded_count:
                self.superseded_count = self.state.superseded_count
                return not self.found
            if group is None:
                raise _missing(self.state, reader, self.wanted, self.durable_end)
            if group.header.is_end_of_segment:
                return True
            self.take(group, limit)
        return True

    def take(self, group: Group, limit: int) -> None:
        for record in group.records:
            if record.index == self.wanted <= limit and not self.is_enough:
                self.found.append(StoredEntry(group.entry(record), group.place(record)))
                self.bytes_left -= record.size_bytes
                self.wanted += 1


class _Opening(_Recovery):
    """What is a student's of opening a log."""

    def _enter(self, group: Group, segment: Segment) -> str | None:
        state = self.state
        if group.records:
            terms = [(record.index, record.term) for record in group.records]
            if reason := state.what_does_not_fit(terms, group.hard_state, group.before):
                return f"a whole group does not go on from what stands before it: {reason}"
            state.enter(terms, group.header.position, segment, group.before)
        state.hard_state = group.hard_state or state.hard_state
        state.durable_end = CommitLogPosition(max(state.durable_end, group.header.durable_end))
        state.noted_end = max(state.noted_end, group.header.durable_end)
        return None

    def _judge_end(self, segment: Segment, reader: GroupReader, *, is_followed: bool) -> Steps[None]:
        flaw = self.survey.flaw
        if flaw is not None and flaw.file == segment.file and (yield from self._is_cut_by(flaw, reader)):
            return
        what = "no group stands here" if (yield from reader.is_zero()) else "a group stands here that is not whole"
        header = yield from reader.header()
        rest = yield from self._rest(segment, reader.at, reader.at + (header.size_bytes if header is not None else 1))
        resumes_at = rest.next_group
        if is_followed and resumes_at is None:
            resumes_at = segment.next_base + SEGMENT_HEADER_BYTES
        guarded_end = self.checkpoint.position if self.checkpoint is not None else 0
        if is_followed or reader.position < max(rest.durable_end, guarded_end):
            self._report(Flaw(segment.file, reader.at, reader.position, what, resumes_at))
        elif rest.end > reader.at:
            self._cut(segment, reader.at, rest)

    def _cut(self, segment: Segment, at: int, rest: Rest) -> None:
        self.torn = TornTail(segment.file, at, rest.end - at, "these bytes were on their way")
        end = min(segment.size_bytes, _rounded(rest.end, _SECTOR_BYTES))
        self.repairs += [Write(segment.file, low, bytes(high - low)) for low, high in reversed([*_pieces(at, end)])]

    def _write_again(self, segment: Segment) -> Steps[None]:
        for low, high in _pieces(0, segment.end_position - segment.base_position):
            data = yield Read(segment.file, low, high - low)
            if not data:
                break
            self.scanned_bytes += len(data)
            self.repairs += [Write(segment.file, low, data), Sync(segment.file)]
