"""Makes 4,096 bytes of a torn tail zero again, and no more: whole groups behind them come back to life."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.segment import Segment
from mq.broker.store.survey import survey_segments
from mq.broker.store.tail import Rest, zeros
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _cut(self, segment: Segment, at: int, rest: Rest) -> None:
        before = list(self.repairs)
        super()._cut(segment, at, rest)
        self.repairs = [*before, *zeros(segment.file, at, min(rest.end, at + 4096))]


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
