"""Opening a log after a crash: what counts, what is a torn write, what is damage.

A crash may leave any part of what was not synced. So the first place where no whole group stands ends the log,
*unless* something written later proves that this place was durable: a group or a segment header whose durable
end lies beyond it. Then it is damage: synced bytes have changed. A torn write is cut (zeroed, so that stale
bytes can never come back to life); damage is never cut, it is reported.

The header of a segment that is a *reset* forgets everything before it: segments that are left of that are removed.

What is kept and not known to be durable is written once more before it is synced: after a failed sync the system
takes its pages for clean, so that they are read as if all were well, and no later sync makes them durable.
"""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import Damage, Recovery, TornTail
from mq.broker.store.scan import CHUNK_BYTES, Group, GroupReader
from mq.broker.store.segment import Segment, segment_file
from mq.broker.store.survey import Flaw, Survey, survey_segments
from mq.broker.store.tail import Rest, read_rest, zeros
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Operation, Read, Remove, Steps, Sync, Write

__all__ = ["recover_log"]


def recover_log(state: LogState, files: Mapping[str, int], checkpoint: Checkpoint | None) -> Steps[Recovery]:
    """See `CommitLog.recover`."""
    survey = yield from survey_segments(files)
    return (yield from _Recovery(state, survey, checkpoint).run())


class _Recovery:
    """One run of recovery; fills the log's state as it goes."""

    def __init__(self, state: LogState, survey: Survey, checkpoint: Checkpoint | None) -> None:
        self.state, self.survey, self.checkpoint = state, survey, checkpoint
        self.damage: list[Damage] = []
        self.repairs: list[Operation] = []
        self.torn: TornTail | None = None
        self.scanned_bytes = survey.read_bytes

    def run(self) -> Steps[Recovery]:
        state = self.state
        for segment, _ in self.survey.segments:
            state.segments.add(segment)
        if self.survey.half_made is not None:
            # Nothing in it was ever acknowledged.
            file, end = self.survey.half_made
            self.torn = TornTail(file, 0, end, "a segment was being made when the crash came")
            self.repairs.append(Remove(file))
        if state.segments:
            yield from self._scan(*self._begin())
        if self.survey.flaw is not None:
            self._report(self.survey.flaw)
        elif not self.damage:
            self._check_checkpoint()
        if state.segments:
            state.first_index = LogIndex(state.segments[0].next_index)
            if not self.damage:
                yield from self._write_again(state.segments[-1])
                # Behind the sync: what was read of the header that makes them superfluous is not durable for sure before.
                self.repairs += [Remove(file) for file in reversed(self.survey.forgotten)]
        state.damage = tuple(self.damage)
        if self.damage:
            self.repairs.clear()
        else:
            # What was found, synced or not, is made durable by the repairs.
            state.durable_end = CommitLogPosition(state.segments.end_position)
            state.synced_index = state.last_index
        return Recovery(
            state.first_index, state.last_index, Term(state.term_at(state.last_index) or 0), state.hard_state,
            state.segments.end_position, state.durable_end, self.torn, state.damage, tuple(self.repairs), self.scanned_bytes,
        )  # fmt: skip

    def _report(self, flaw: Flaw) -> None:
        file, at, position, reason, resumes_at = flaw
        self.damage.append(Damage(file, at, position, reason, self.state.last_index + 1, resumes_at))

    # --- where to begin

    def _begin(self) -> tuple[int, int]:
        """Number of the segment and position to scan from."""
        state, checkpoint = self.state, self.checkpoint
        number = None if checkpoint is None else state.segments.number_of(checkpoint.position)
        if number == 0 and self.survey.segments[0][1].is_reset and checkpoint is not None:
            # One that was taken before the very first segment was made stands at its beginning.
            number = number if checkpoint.position >= state.segments[0].first_group_position else None
        if checkpoint is not None and number is not None:
            self._take_over(checkpoint, number)
            return number, max(checkpoint.position, state.segments[number].first_group_position)
        first, header = self.survey.segments[0]
        state.last_index = LogIndex(header.next_index - 1)
        state.hard_state = header.hard_state
        if state.last_index:
            state.map.extend((), [(state.last_index, header.last_term)])
        return 0, first.first_group_position

    def _take_over(self, checkpoint: Checkpoint, number: int) -> None:
        """Believe what the checkpoint says of everything before it, without reading that."""
        state = self.state
        state.last_index = LogIndex(checkpoint.next_index - 1)
        state.hard_state = checkpoint.hard_state
        heads = dict(checkpoint.heads)
        points: list[tuple[int, int]] = []
        for earlier in [state.segments[i] for i in range(number, -1, -1)]:
            earlier.unmapped_end = min(earlier.next_base, checkpoint.position)
            earlier.next_index = heads.get(earlier.base_position, earlier.next_index)
            # Of segments with the same lowest entry only the last one still holds it.
            if earlier.next_index < (points[-1][0] if points else state.last_index + 1):
                points.append((earlier.next_index, earlier.first_group_position))
        state.map.extend(reversed(points), checkpoint.terms)

    def _check_checkpoint(self) -> None:
        """Whether the log reaches as far as a snapshot says that it did."""
        end = self.state.segments.end_position
        if self.checkpoint is None or self.checkpoint.position <= end:
            return
        last = self.state.segments[-1] if self.state.segments else None
        reason = f"the log ends here, and a snapshot says that it reached {self.checkpoint.position}"
        if last is None:
            self._report(Flaw(segment_file(end), 0, end, reason))
        else:
            self._report(Flaw(last.file, end - last.base_position, end, reason))

    # --- groups

    def _scan(self, first: int, position: int) -> Steps[None]:
        """Enter the groups of the segments from number `first` on."""
        segments = self.state.segments
        for number in range(first, len(segments)):
            segment = segments[number]
            reader = GroupReader(segment, position if number == first else segment.first_group_position)
            is_followed = number + 1 < len(segments) or self.survey.is_followed
            goes_on = yield from self._scan_segment(segment, reader, is_followed=is_followed)
            self.scanned_bytes += reader.read_bytes
            if not goes_on:
                return

    def _scan_segment(self, segment: Segment, reader: GroupReader, *, is_followed: bool) -> Steps[bool]:
        """Enter a segment's groups. True when the next segment goes on from here."""
        while (group := (yield from reader.next_group())) is not None:
            position = group.header.position
            if group.header.is_end_of_segment and not is_followed:
                # The crash came before the next segment was made. The mark goes, or what is appended here would stand
                # behind it, where no reader looks.
                segment.end_position = position
                at = position - segment.base_position
                end = (yield from self._rest(segment, at)).end
                self.torn = TornTail(segment.file, at, end - at, "the crash came before the next segment was made")
                self.repairs += zeros(segment.file, at, end)
                return False
            if (reason := self._enter(group, segment)) is not None:
                segment.end_position = position
                self._report(Flaw(segment.file, position - segment.base_position, position, reason, reader.position))
                return False
            if group.header.is_end_of_segment:
                segment.end_position = reader.position
                return True
        segment.end_position = reader.position
        yield from self._judge_end(segment, reader, is_followed=is_followed)
        return False

    def _enter(self, group: Group, segment: Segment) -> str | None:
        """Returns why not, when the group does not continue the log."""
        state = self.state
        entries = [(record.index, record.term) for record in group.records]
        if entries:
            reason = state.what_does_not_fit(entries, group.hard_state, group.before)
            if reason is not None:
                return f"the group is whole but does not continue the log: {reason}"
            state.enter(entries, group.header.position, segment, group.before)
        if group.hard_state is not None:
            state.hard_state = group.hard_state
        state.durable_end = CommitLogPosition(max(state.durable_end, group.header.durable_end))
        state.noted_end = max(state.noted_end, group.header.durable_end)
        return None

    # --- the end

    def _judge_end(self, segment: Segment, reader: GroupReader, *, is_followed: bool) -> Steps[None]:
        """No whole group stands at `reader.position`: is it the end, a torn write, or damage?"""
        flaw = self.survey.flaw
        if flaw is not None and flaw.file == segment.file and (yield from self._is_cut_by(flaw, reader)):
            return
        position, at = reader.position, reader.at
        what = "nothing stands where a group must be" if (yield from reader.is_zero()) else "the group is damaged"
        header = yield from reader.header()
        # The body of a group whose header is whole holds no other group, whatever a message looks like.
        rest = yield from self._rest(segment, at, at + (1 if header is None else header.size_bytes))
        checkpoint_end = self.checkpoint.position if self.checkpoint is not None else 0
        if is_followed:
            resumes_at = rest.next_group or segment.next_base + segment.first_group_position - segment.base_position
            self._report(Flaw(segment.file, at, position, f"{what}; a later segment proves that it was synced", resumes_at))
        elif max(rest.durable_end, checkpoint_end) > position:
            durable_end = max(rest.durable_end, checkpoint_end)
            self._report(Flaw(segment.file, at, position, f"{what}, below the durable end {durable_end}", rest.next_group))
        elif rest.end > at:
            self._cut(segment, at, rest)

    def _is_cut_by(self, flaw: Flaw, reader: GroupReader) -> Steps[bool]:
        """Whether the group at `reader.position` is not whole because the file is too short, or was never written."""
        header = yield from reader.header()
        end = reader.position + header.size_bytes if header is not None else 0
        is_zero = yield from reader.is_zero()
        return is_zero or end > flaw.position

    def _write_again(self, segment: Segment) -> Steps[None]:
        """What of the last segment is not known to be durable. All earlier ones were synced before it was made."""
        known = max(self.state.durable_end, self.checkpoint.position if self.checkpoint is not None else 0)
        begin = known if known > segment.first_group_position else segment.base_position
        at, end = begin - segment.base_position, segment.end_position - segment.base_position
        while at < end:
            data = yield Read(segment.file, at, min(CHUNK_BYTES, end - at))
            if not data:
                break
            self.scanned_bytes += len(data)
            self.repairs.append(Write(segment.file, at, data))
            at += len(data)
        self.repairs.append(Sync(segment.file))

    def _rest(self, segment: Segment, at: int, groups_from: int = 0) -> Steps[Rest]:
        rest = yield from read_rest(segment.file, segment.base_position, at, segment.size_bytes, groups_from)
        self.scanned_bytes += rest.read_bytes
        return rest

    def _cut(self, segment: Segment, at: int, rest: Rest) -> None:
        """Zero everything from `at` to the last byte that is not zero."""
        self.torn = TornTail(segment.file, at, rest.end - at, "a write was not synced when the crash came")
        self.repairs += zeros(segment.file, at, rest.end)
