"""Writes again not up to the end of the last group but farther: the torn bytes that were made zero are there again."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.segment import Segment
from mq.broker.store.survey import survey_segments
from mq.core.ports import Read, Steps, Sync, Write

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _write_again(self, segment: Segment) -> Steps[None]:
        known, end = self.state.durable_end, segment.end_position - segment.base_position
        at = known - segment.base_position if known > segment.first_group_position else 0
        data = yield Read(segment.file, at, end)
        self.repairs += (Write(segment.file, at, data), Sync(segment.file))


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
