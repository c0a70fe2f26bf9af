"""Reports every torn write as damage, so that a broker does not start after a loss of power."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.segment import Segment
from mq.broker.store.survey import Flaw, survey_segments
from mq.broker.store.tail import Rest
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _cut(self, segment: Segment, at: int, rest: Rest) -> None:  # noqa: ARG002 - that is the mistake
        self._report(Flaw(segment.file, at, segment.base_position + at, "the group is damaged"))


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
