"""Takes every place where no whole group stands for a torn write, and cuts off all that was synced behind it."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.scan import GroupReader
from mq.broker.store.segment import Segment
from mq.broker.store.survey import survey_segments
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _judge_end(self, segment: Segment, reader: GroupReader, *, is_followed: bool) -> Steps[None]:  # noqa: ARG002 - that is the mistake
        rest = yield from self._rest(segment, reader.at)
        if rest.end > reader.at:
            self._cut(segment, reader.at, rest)


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
