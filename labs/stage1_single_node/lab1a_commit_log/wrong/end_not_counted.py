"""Forgets the group that ends a segment when it says how much is written in it."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.segment import Segment
from mq.core.entry import HardState
from mq.core.ids import EntryId
from mq.core.ports import Operation

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        ends = [segment.end_position for segment in self._state.segments]
        made = super()._roll(group_bytes, plan, reset_to)
        for segment, end in zip(self._state.segments, ends, strict=True):
            segment.end_position = end
        return made
