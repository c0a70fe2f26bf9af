"""The list of groups is the truth, and what the log holds is folded from it. To take an append back is to fold without it.

Entries are read record by record, each from its place. But for opening it is written anew, without what a group of nodes needs.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import accumulate, takewhile
from typing import NamedTuple

from mq.broker.store import record as form
from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import Damage, Recovery, SegmentView, StoredEntry
from mq.broker.store.recovery import _Recovery
from mq.broker.store.scan import Group, GroupReader
from mq.broker.store.segment import Segment, SegmentList, segment_file
from mq.broker.store.survey import Survey, survey_segments
from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import CommitLogPosition, EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Read, Remove, Steps, Sync, Write

__all__ = ["CommitLog"]


class _Line(NamedTuple):
    """An entry without its payload."""

    number: int
    term: int
    place: RecordPlace


@dataclass(frozen=True, slots=True)
class _Written:
    """A group, from `position` up to `end`. told: up to where it says that all is durable. behind: what it says of it."""

    position: int
    end: int
    told: int
    lines: tuple[_Line, ...] = ()
    hard_state: HardState | None = None
    behind: EntryId | None = None


@dataclass(slots=True)
class _View:
    """What groups come to, from a beginning on. lows: the lowest entry in each segment; runs: (first entry, term).

    places: of entries from `border` on; those below it stand before the beginning.
    """

    last: int = 0
    hard_state: HardState = HardState(Term(0), None)  # noqa: RUF009 - it never changes
    runs: list[tuple[int, int]] = field(default_factory=list)
    lows: dict[int, int] = field(default_factory=dict)
    told: int = 0
    border: int = 1
    places: dict[int, RecordPlace] = field(default_factory=dict)

    @classmethod
    def behind(cls, header: form.SegmentHeader) -> "_View":
        last = header.next_index - 1
        return cls(last, header.hard_state, [(last, header.last_term)] if last else [], border=last + 1)

    @property
    def first(self) -> int:
        return self.lows[min(self.lows)] if self.lows else 1

    def term_at(self, number: int) -> int | None:
        run = bisect_right(self.runs, number, key=lambda run: run[0])
        return self.runs[run - 1][1] if run else None

    def fold(self, group: _Written, base: int) -> "_View":
        """The group stands behind all others, in the segment with this base."""
        self.told = max(self.told, group.told)
        self.hard_state = group.hard_state or self.hard_state
        if group.lines:
            first = group.lines[0].number
            self.border = min(self.border, first)
            for number in range(first, self.last + 1):
                self.places.pop(number, None)
            self.runs = [run for run in self.runs if run[0] < first]
            self.lows = {each: min(low, first) if each <= base else low for each, low in self.lows.items()}
            if group.behind is not None and group.behind.index and self.term_at(group.behind.index) is None:
                self.runs.append((group.behind.index, group.behind.term))
            for number, term, place in group.lines:
                self.places[number] = place
                if not self.runs or self.runs[-1][1] != term:
                    self.runs.append((number, term))
            self.last = group.lines[-1].number
        return self

    def misfit(self, pairs: Sequence[tuple[int, int]], own: HardState | None) -> str | None:
        """Why entries, (number, term), cannot come next; None when they can."""
        before, term = pairs[0][0] - 1, self.term_at(pairs[0][0] - 1) or 0
        if not self.first - 1 <= before <= self.last:
            return f"entry {before + 1} does not fit to entries {self.first} to {self.last}"
        for number, next_term in pairs:
            is_there = number <= self.last and self.term_at(number) == next_term
            if number != before + 1 or next_term < term or is_there:
                return f"entry {number} of term {next_term} cannot follow {before} of term {term}, or is there already"
            before, term = number, next_term
        return f"term {term} is above the node's own" if term > (own or self.hard_state).term > 0 else None


class _Waiting(NamedTuple):
    """sequence: of an append that is not durable. end, last: behind it. before: where the newest segment ended before it."""

    sequence: int
    end: int
    last: int
    before: int
    supersedes: int | None
    rolled: bool


class CommitLog:
    """files, headers: segments. start: what is known from before `groups`; lit: of its entries, by segment, places."""

    def __init__(self, *, segment_bytes: int = 64 << 20) -> None:
        self._segment_bytes = segment_bytes
        self._files = SegmentList()
        self._headers: dict[int, form.SegmentHeader] = {}
        self._groups: list[_Written] = []
        self._start, self._start_at = _View(), 0
        self._view = _View()
        self._lit: dict[int, dict[int, RecordPlace]] = {}
        self._waiting: deque[_Waiting] = deque()
        self._sequence = self._changes = 0
        self._must_roll = self._must_mark = False
        self._synced_last = 0
        self.durable_end = CommitLogPosition(0)
        self.damage: tuple[Damage, ...] = ()

    first_index = property(lambda self: LogIndex(self._view.first))
    last_index = property(lambda self: LogIndex(self._view.last))
    hard_state = property(lambda self: self._view.hard_state)
    is_damaged = property(lambda self: bool(self.damage))
    first_position = property(lambda self: CommitLogPosition(self._files.first_position))
    end_position = property(lambda self: CommitLogPosition(self._files.end_position))
    last_term = property(lambda self: self.term_at(self.last_index) or Term(0))

    @property
    def durable_index(self) -> LogIndex:
        return LogIndex(min([self._synced_last, *(w.supersedes - 1 for w in self._waiting if w.supersedes is not None)]))

    def term_at(self, index: LogIndex) -> Term | None:
        if index == 0:
            return Term(0) if self.first_index == 1 else None
        term = self._view.term_at(index) if self.first_index - 1 <= index <= self.last_index else None
        return None if term is None else Term(term)

    def segments(self) -> tuple[SegmentView, ...]:
        seen = SegmentList()
        for file in self._files:
            seen.add(replace(file, next_index=self._view.lows[file.base_position]))
        return seen.views(self.last_index)

    def _folded(self, upto: int | None = None) -> _View:
        """From the beginning on; `upto`: only what ends there or before."""
        view = deepcopy(self._start)
        groups = deque(self._groups if upto is None else [group for group in self._groups if group.end <= upto])
        for file in self._files:
            if upto is None or file.first_group_position <= upto:
                view.lows.setdefault(file.base_position, file.next_index)
                while groups and groups[0].position < file.next_base:
                    view.fold(groups.popleft(), file.base_position)
        return view

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        for found in self.damage:
            raise DamageError(found.file, found.at, f"nothing is appended any more: {found.reason}", found.position)
        pairs = [(int(entry.index), int(entry.term)) for entry in entries]
        if not pairs and hard_state is None:
            raise StateError("nothing is to be appended")
        if pairs and pairs[0][0] != after_index + 1:
            raise StateError(f"entry {pairs[0][0]} is no successor of {after_index}")
        if pairs and (reason := self._view.misfit(pairs, hard_state)) is not None:
            raise StateError(reason)
        size = sum(len(entry.payload) + form.RECORD_HEADER_BYTES for entry in entries) + 2 * form.GROUP_HEADER_BYTES + 56
        before, plan = self.end_position, list[Operation]()
        rolls = self._must_roll or not self._files or not self._files[-1].has_room(size)
        if rolls:
            self._roll(size, plan)
        supersedes = after_index + 1 if pairs and after_index < self.last_index else None
        places = self._write(after_index, entries, hard_state, plan)
        self._must_roll = self._must_mark = False
        self._changes += supersedes is not None
        self._sequence += 1
        self._waiting.append(_Waiting(self._sequence, self.end_position, self._view.last, before, supersedes, rolls))
        return Appended(tuple(plan), places, self._sequence)

    def _write(
        self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None, plan: list[Operation]
    ) -> tuple[RecordPlace, ...]:
        file = self._files[-1]
        behind = EntryId(self.term_at(after_index) or Term(0), after_index)
        said = behind if entries and after_index + 1 < self._view.lows[file.base_position] else None
        data, sizes = form.encode_group(file.end_position, self.durable_end, entries, hard_state, before=said)
        ats = accumulate(sizes, initial=file.end_position + form.GROUP_HEADER_BYTES)
        places = tuple(map(RecordPlace, map(CommitLogPosition, ats), sizes))
        lines = (_Line(entry.index, entry.term, place) for entry, place in zip(entries, places, strict=True))
        self._put(data, plan, tuple(lines), hard_state, said)
        plan.append(Sync(file.file))
        return places

    def _put(
        self, data: bytes, plan: list[Operation], lines: tuple[_Line, ...] = (), hard_state: HardState | None = None,
        behind: EntryId | None = None,
    ) -> None:  # fmt: skip
        """A group goes behind all others."""
        file = self._files[-1]
        begin = file.end_position
        plan.append(Write(file.file, begin - file.base_position, data))
        file.end_position += len(data)
        group = _Written(begin, file.end_position, self.durable_end, lines, hard_state, behind)
        self._groups.append(group)
        self._view.fold(group, file.base_position)

    def _roll(self, group_bytes: int, plan: list[Operation]) -> None:
        if self._files:
            self._put(form.encode_group(self.end_position, self.durable_end, (), ends_segment=True)[0], plan)
            plan.append(Sync(self._files[-1].file))
        base = self._files[-1].next_base if self._files else 0
        size = max(self._segment_bytes, form.SEGMENT_HEADER_BYTES + group_bytes + 2 * form.GROUP_HEADER_BYTES) + 7 & ~7
        header = form.SegmentHeader(base, size, self.last_index + 1, self.last_term, self.end_position, self.hard_state)
        file = Segment(base, size, header.next_index, base + form.SEGMENT_HEADER_BYTES)
        plan += (Create(file.file, size), Write(file.file, 0, form.encode_segment_header(header)), Sync(file.file))
        self._files.add(file)
        self._headers[base] = header
        self._view.lows[base] = file.next_index

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        raise StateError(f"this log is for one node: it never begins behind {last} with {hard_state}")

    def synced(self, sequence: int) -> None:
        while self._waiting and self._waiting[0].sequence <= sequence:
            done = self._waiting.popleft()
            self.durable_end = CommitLogPosition(max(self.durable_end, done.end))
            self._synced_last = done.last

    def note_durable(self) -> Plan:
        is_said = self._view.told >= self.durable_end and not self._must_mark
        if self._waiting or self._must_roll or self.damage or is_said or not self._files or not self._files[-1].has_room(0):
            return ()
        self._must_mark = False
        self._put(form.encode_group(self.end_position, self.durable_end, ())[0], plan := list[Operation]())
        return tuple(plan)

    def abandon(self, sequence: int) -> None:
        if not self._waiting or self._waiting[-1].sequence != sequence:
            raise StateError(f"append {sequence} is not the newest one that waits")
        gone = self._waiting.pop()
        if gone.rolled:
            self._headers.pop(self._files.take_last().base_position)
        if self._files:
            self._files[-1].end_position = gone.before
        self._groups = [*takewhile(lambda group: group.position < gone.before, self._groups)]
        self._view = self._folded()
        self._must_mark, self._must_roll = True, self._must_roll or gone.rolled
        self._changes += 1

    def drop_before(self, index: LogIndex) -> Plan:
        plan: list[Operation] = []
        while len(self._files) > 1 and all(waiting.supersedes is None for waiting in self._waiting):
            file = self._files[1]
            if self._view.lows[file.base_position] > index or file.first_group_position >= self.durable_end:
                break
            gone = self._files.take_first().base_position
            plan.append(Remove(segment_file(gone)))
            self._headers.pop(gone)
            self._start.lows.pop(gone, None)
            self._lit.pop(gone, None)
        if plan:
            base = self._files[0].base_position
            if base >= self._start_at:
                self._start, self._start_at = _View.behind(self._headers[base]), base
                self._groups = [group for group in self._groups if group.position > base]
            self._view = self._folded()
            self._changes += 1
        return tuple(plan)

    # --- reading

    def read(self, place: RecordPlace) -> Read:
        file = self._files.at(place.position)
        return Read(file.file, place.position - file.base_position, place.size_bytes)

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        wanted = self.read(place)
        try:
            entry = form.decode_record(data)
        except FormatError as error:
            raise FormatError(f"{wanted.file}, byte {wanted.at}: {error}") from error
        if entry is None:
            raise DamageError(wanted.file, wanted.at, "the record is damaged", place.position)
        return entry

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        if not self.first_index <= first <= last <= self.last_index:
            raise StateError(f"entries {first} to {last} are wanted, {self.first_index} to {self.last_index} are there")
        found: list[StoredEntry] = []
        changes, durable_end = self._changes, self.durable_end
        while len(found) <= min(last, self.last_index) - first and (not found or bytes_max > 0):
            stored = yield from self._stored(LogIndex(first + len(found)), durable_end)
            if changes == self._changes and stored is not None:
                found.append(stored)
                bytes_max -= stored.place.size_bytes
            elif found:
                break
            changes = self._changes
        return tuple(found)

    def _stored(self, index: LogIndex, durable_end: int) -> Steps[StoredEntry | None]:
        """None when the log changed meanwhile. Raises: StateError, DamageError, FormatError."""
        if index < self.first_index:
            raise StateError(f"entry {index} is not kept any more")
        changes = self._changes
        place = self._view.places.get(index) or (yield from self._light_up(index))
        if changes != self._changes or place is None:
            return None
        data = yield self.read(place)
        try:
            return StoredEntry(self.decode(place, data), place) if changes == self._changes else None
        except DamageError:
            if place.position >= durable_end and not self.damage:
                raise StateError(f"entry {index} is not written yet") from None
            raise

    def _light_up(self, index: int) -> Steps[RecordPlace | None]:
        """The place of an entry that opening passed over: its segment is read."""
        file = self._files.at(max(base for base, low in self._start.lows.items() if low <= index))
        if file.base_position not in self._lit:
            changes, places = self._changes, dict[int, RecordPlace]()
            reader = GroupReader(file, file.first_group_position)
            while reader.position < min(file.next_base, self._start_at):
                group = yield from reader.next_group()
                if changes != self._changes:
                    return None
                if group is None:
                    raise DamageError(file.file, reader.at, "no whole group stands here", reader.position)
                places.update((record.index, group.place(record)) for record in group.records)
                if group.header.is_end_of_segment:
                    break
            self._lit[file.base_position] = places
        return self._lit[file.base_position].get(index)

    def checkpoint(self) -> Checkpoint:
        view = self._folded(self.durable_end)
        return Checkpoint(
            max(self.durable_end, self.first_position), view.last + 1, view.hard_state, tuple(view.runs), tuple(view.lows.items())
        )

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        opening = _Opening((yield from survey_segments(files)), checkpoint)
        recovery = yield from opening.run()
        for file, header in opening.survey.segments:
            self._headers[file.base_position] = header
            self._files.add(replace(file, next_index=header.next_index))
        self._groups, self._start, self._start_at = opening.groups, opening.start, opening.start_at
        self._view = self._folded()
        self.durable_end, self._synced_last = opening.state.durable_end, opening.state.synced_index
        self.damage = recovery.damage
        return recovery


class _Opening(_Recovery):
    """What is given, and a list of the groups that were met."""

    def __init__(self, survey: Survey, checkpoint: Checkpoint | None) -> None:
        super().__init__(LogState(), survey, checkpoint)
        self.groups: list[_Written] = []
        self.start, self.start_at = _View(), 0

    def _begin(self) -> tuple[int, int]:
        first, header = self.survey.segments[0]
        self.start, self.start_at = _View.behind(header), first.base_position
        return super()._begin()

    def _take_over(self, checkpoint: Checkpoint, number: int) -> None:
        super()._take_over(checkpoint, number)
        passed = [self.state.segments[nth] for nth in range(number + 1)]
        lows = {file.base_position: file.next_index for file in passed}
        self.start_at = max(checkpoint.position, passed[-1].first_group_position)
        last = checkpoint.next_index - 1
        self.start = _View(last, checkpoint.hard_state, list(checkpoint.terms), lows, border=last + 1)

    def _enter(self, group: Group, segment: Segment) -> str | None:
        reason = super()._enter(group, segment)
        if reason is None:
            header = group.header
            lines = tuple(_Line(record.index, record.term, group.place(record)) for record in group.records)
            end = header.position + header.size_bytes
            self.groups.append(_Written(header.position, end, header.durable_end, lines, group.hard_state, group.before))
        return reason
