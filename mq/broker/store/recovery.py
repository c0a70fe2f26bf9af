"""Opening a log after a crash: what counts, what is a torn write, what is damage.

A crash may leave any part of what was not synced. So the first place where no whole group stands ends the log,
*unless* something written later proves that this place was durable: a group or a segment header whose durable
end lies beyond it. Then it is damage: synced bytes have changed. A torn write is cut (zeroed, so that stale
bytes can never come back to life); damage is never cut, it is reported.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    GROUP_MAGIC,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_group_header,
    decode_segment_header,
)
from mq.broker.store.scan import Group, GroupReader
from mq.broker.store.segment import Segment, segment_base, segment_file
from mq.core.errors import FormatError
from mq.core.ids import CommitLogPosition, LogIndex
from mq.core.ports import Operation, Read, Remove, Steps, Sync, Write

if TYPE_CHECKING:
    from mq.broker.store.commit_log import Checkpoint, CommitLog, Damage, Recovery, TornTail

__all__ = ["recover_log"]

_CHUNK_BYTES = 1 << 20


def recover_log(log: "CommitLog", files: Mapping[str, int], checkpoint: "Checkpoint | None") -> "Steps[Recovery]":
    """See `CommitLog.recover`."""
    return (yield from _Recovery(log, files, checkpoint).run())


class _Recovery:
    """One run of recovery; fills the log as it goes."""

    def __init__(self, log: "CommitLog", files: Mapping[str, int], checkpoint: "Checkpoint | None") -> None:
        self.log, self.files, self.checkpoint = log, files, checkpoint
        self.damage: list[Damage] = []
        self.repairs: list[Operation] = []
        self.torn: TornTail | None = None
        self.scanned_bytes = 0
        self.headers: list[SegmentHeader] = []

    def run(self) -> "Steps[Recovery]":
        from mq.broker.store.commit_log import Recovery  # noqa: PLC0415 - that module needs this one

        yield from self._find_segments()
        log = self.log
        if log._segments:
            yield from self._scan()
            if not self.damage and log._segments:
                self.repairs.append(Sync(log._segments[-1].file))
        if log._segments:
            log.first_index = LogIndex(log._segments[0].next_index)
        log.damage = tuple(self.damage)
        if not self.damage:
            # What was found, synced or not, is made durable by the repairs.
            log.durable_end, log.durable_index = log.end_position, log.last_index
        return Recovery(
            log.first_index, log.last_index, log.last_term, log.hard_state, log.end_position, log.durable_end, self.torn,
            log.damage, tuple(self.repairs), self.scanned_bytes,
        )  # fmt: skip

    # --- segments

    def _find_segments(self) -> Steps[None]:
        bases = sorted(base for file in self.files if (base := segment_base(file)) is not None)
        for number, base in enumerate(bases):
            file = segment_file(base)
            data = yield Read(file, 0, SEGMENT_HEADER_BYTES)
            self.scanned_bytes += len(data)
            header = decode_segment_header(file, data)
            if header is None:
                if number == len(bases) - 1 and not (yield from self._proves_durable(file, base, SEGMENT_HEADER_BYTES, base)):
                    self._cut_segment(file, base)
                else:
                    self._report(file, 0, base, "the segment's header is damaged")
                return
            if header.base_position != base:
                self._report(file, 0, base, f"the header says that the segment begins at {header.base_position}")
                return
            if self.log._segments and self.log._segments[-1].base_position + self.log._segments[-1].size_bytes != base:
                before = self.log._segments[-1]
                missing = before.base_position + before.size_bytes
                self._report(
                    segment_file(missing), 0, missing, f"the segment is missing: {before.file} ends there and {file} follows"
                )
                return
            self.headers.append(header)
            self.log._segments.append(Segment(base, header.size_bytes, header.next_index, base + header.size_bytes))
            if self.files[file] < header.size_bytes:
                self._report(
                    file,
                    self.files[file],
                    base + self.files[file],
                    f"the file has {self.files[file]} bytes, it was made with {header.size_bytes}",
                )
                return
        self._forget_half_made()

    def _forget_half_made(self) -> None:
        if self.log._segments:
            self.log.first_index = LogIndex(self.log._segments[0].next_index)

    def _cut_segment(self, file: str, base: int) -> None:
        """A segment that was being made when the crash came; nothing in it was ever acknowledged."""
        from mq.broker.store.commit_log import TornTail  # noqa: PLC0415

        self.torn = TornTail(file, 0, self.files[file], "a segment was being made")
        self.repairs.append(Remove(file))
        self._forget_half_made()
        del base

    def _report(self, file: str, at: int, position: int, reason: str, resumes_at: int | None = None) -> None:
        from mq.broker.store.commit_log import Damage  # noqa: PLC0415

        self._forget_half_made()
        self.damage.append(Damage(file, at, position, reason, self.log.last_index + 1, resumes_at))

    # --- groups

    def _scan(self) -> Steps[None]:
        log = self.log
        first = log._segments[0]
        log.last_index = LogIndex(self.headers[0].next_index - 1)
        log.hard_state = self.headers[0].hard_state
        if log.last_index:
            log._map.add_term(log.last_index, self.headers[0].last_term)
        number, position = 0, first.first_group_position
        if self.checkpoint is not None:
            number, position = self._begin_at(self.checkpoint)
        # Damage that the headers showed already bounds what can be read.
        known = self.damage[0].position if self.damage else None
        for current, segment in list(enumerate(log._segments))[number:]:
            if current > number:
                position = segment.first_group_position
            goes_on = yield from self._scan_segment(segment, position, current, known)
            if not goes_on:
                return

    def _begin_at(self, checkpoint: "Checkpoint") -> tuple[int, int]:
        """Take over what the checkpoint says; returns the segment's number and the position to scan from."""
        log = self.log
        for number, segment in enumerate(log._segments):
            if segment.base_position <= checkpoint.position < segment.base_position + segment.size_bytes:
                break
        else:
            if checkpoint.position < log._segments[0].base_position:
                return 0, log._segments[0].first_group_position
            last = log._segments[-1]
            self._report(
                last.file,
                last.size_bytes,
                last.base_position + last.size_bytes,
                f"the log ends here, and a snapshot says that it reached {checkpoint.position}",
            )
            return len(log._segments), checkpoint.position
        log.last_index = LogIndex(checkpoint.next_index - 1)
        log.hard_state = checkpoint.hard_state
        log._map.run_indexes = [index for index, _ in checkpoint.terms]
        log._map.run_terms = [term for _, term in checkpoint.terms]
        heads = dict(checkpoint.heads)
        points: list[tuple[int, int]] = []
        for earlier in reversed(log._segments[: number + 1]):
            earlier.is_mapped = False
            earlier.next_index = heads.get(earlier.base_position, earlier.next_index)
            # Of segments with the same lowest entry only the last one still holds it.
            if earlier.next_index < (points[-1][0] if points else log.last_index + 1):
                points.append((earlier.next_index, earlier.first_group_position))
        for index, position in reversed(points):
            log._map.indexes.append(index)
            log._map.positions.append(position)
        return number, max(checkpoint.position, segment.first_group_position)

    def _scan_segment(self, segment: Segment, position: int, number: int, known: int | None) -> Steps[bool]:
        """Enter a segment's groups. True when the next segment goes on from here."""
        reader = GroupReader(segment, position)
        is_last = number == len(self.log._segments) - 1
        while True:
            group = yield from reader.next_group()
            if group is None:
                break
            if group.header.is_end_of_segment and is_last and known is None:
                # The crash came before the next segment was made. The mark goes, or what is appended here would stand
                # behind it, where no reader looks.
                segment.end_position = group.header.position
                self.scanned_bytes += reader.read_bytes
                yield from self._cut(segment, segment.end_position - segment.base_position)
                return False
            self._enter(group, segment, position)
            if group.header.is_end_of_segment:
                segment.end_position = reader.position
                self.scanned_bytes += reader.read_bytes
                return True
        segment.end_position = reader.position
        self.scanned_bytes += reader.read_bytes
        if known is not None and reader.position >= known - GROUP_HEADER_BYTES:
            return False
        yield from self._judge_end(segment, reader, is_last=is_last)
        return False

    def _enter(self, group: Group, segment: Segment, scan_start: int) -> None:
        del scan_start
        log = self.log
        if group.records:
            first, last = group.records[0], group.records[-1]
            if first.index <= log.last_index:
                log._map.cut(first.index, is_supersede=True)
                for later in log._segments:
                    if later.base_position <= segment.base_position:
                        later.next_index = min(later.next_index, first.index)
            log._map.add_group(
                first.index, group.header.position, is_segment_head=group.header.position == segment.first_group_position
            )
            for record in group.records:
                log._map.add_term(record.index, record.term)
            log.last_index = LogIndex(last.index)
        if group.hard_state is not None:
            log.hard_state = group.hard_state
        log.durable_end = CommitLogPosition(max(log.durable_end, group.header.durable_end))
        log._noted_end = max(log._noted_end, group.header.durable_end)

    def _judge_end(self, segment: Segment, reader: GroupReader, *, is_last: bool) -> Steps[None]:
        """No whole group stands at `reader.position`: is it the end, a torn write, or damage?"""
        position, at = reader.position, reader.position - segment.base_position
        is_zero = yield from reader.is_zero_header()
        what = "nothing stands where a group must be" if is_zero else "the group is damaged"
        if not is_last:
            following = self.log._segments[self.log._segments.index(segment) + 1]
            self._report(
                segment.file, at, position, f"{what}; {following.file} proves that it was synced", following.base_position
            )
            return
        evidence = yield from self._proves_durable(segment.file, segment.base_position, at, position)
        checkpoint_end = self.checkpoint.position if self.checkpoint is not None else 0
        if evidence is not None or checkpoint_end > position:
            self._report(
                segment.file,
                at,
                position,
                f"{what}, below the durable end {evidence or checkpoint_end}",
                evidence and self._resume,
            )
            return
        yield from self._cut(segment, at)

    _resume: int | None = None

    def _proves_durable(self, file: str, base: int, at: int, position: int) -> Steps[int | None]:
        """A durable end beyond `position` that a group behind it tells of, or None."""
        size, overlap, best = self.files.get(file, 0), b"", None
        while at < size:
            data = yield Read(file, at, min(_CHUNK_BYTES, size - at))
            if not data:
                break
            self.scanned_bytes += len(data)
            window, window_at = overlap + data, at - len(overlap)
            found = window.find(GROUP_MAGIC)
            while found >= 0:
                header = self._header_at(file, window, found)
                if header is not None and header.position == base + window_at + found and header.durable_end > position:
                    best = max(best or 0, header.durable_end)
                    self._resume = self._resume or header.position
                found = window.find(GROUP_MAGIC, found + 1)
            at += len(data)
            overlap = window[-(GROUP_HEADER_BYTES - 1) :]
        return best

    @staticmethod
    def _header_at(file: str, window: bytes, at: int) -> "object | None":
        try:
            return decode_group_header(file, window, at)
        except FormatError:
            return None

    def _cut(self, segment: Segment, at: int) -> Steps[None]:
        """Zero everything from `at` to the last byte that is not zero."""
        from mq.broker.store.commit_log import TornTail  # noqa: PLC0415

        size, last = min(self.files[segment.file], segment.size_bytes), at
        here = at
        while here < size:
            data = yield Read(segment.file, here, min(_CHUNK_BYTES, size - here))
            self.scanned_bytes += len(data)
            stripped = data.rstrip(b"\0")
            if stripped:
                last = here + len(stripped)
            here += len(data)
            if not data:
                break
        if last == at:
            return
        self.torn = TornTail(segment.file, at, last - at, "a write was not synced when the crash came")
        for begin in range(at, last, _CHUNK_BYTES):
            self.repairs.append(Write(segment.file, begin, bytes(min(_CHUNK_BYTES, last - begin))))
