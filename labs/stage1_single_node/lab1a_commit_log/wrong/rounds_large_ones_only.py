"""Makes the size of a segment a multiple of 8 where a group needs more than a segment has, and leaves all others as they are."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.record import GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES, decode_segment_header, encode_segment_header
from mq.broker.store.segment import Segment
from mq.core.entry import HardState
from mq.core.ids import EntryId
from mq.core.ports import Create, Operation, Write

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        segment = super()._roll(group_bytes, plan, reset_to)
        *_, _create, write, _sync = plan
        header = decode_segment_header(segment.file, write.data) if isinstance(write, Write) else None
        if header is not None and SEGMENT_HEADER_BYTES + group_bytes + 2 * GROUP_HEADER_BYTES <= self._segment_bytes:
            segment.size_bytes = self._segment_bytes
            plan[-3] = Create(segment.file, segment.size_bytes)
            plan[-2] = Write(segment.file, 0, encode_segment_header(header._replace(size_bytes=segment.size_bytes)))
        return segment
