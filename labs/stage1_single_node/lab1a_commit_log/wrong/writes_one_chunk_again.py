"""Of what was not known to be durable it writes the first chunk again, a megabyte, and syncs: the rest goes with the power."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.segment import Segment
from mq.broker.store.survey import survey_segments
from mq.core.ports import Steps, Write

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _write_again(self, segment: Segment) -> Steps[None]:
        before = len(self.repairs)
        yield from super()._write_again(segment)
        writes = [one for one in self.repairs[before:] if isinstance(one, Write)]
        self.repairs[before:] = [*writes[:1], self.repairs[-1]]


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
