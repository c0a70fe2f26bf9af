"""Does not take over what a group says that it stands behind: the term of the entry before the first is lost."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.scan import Group
from mq.broker.store.segment import Segment
from mq.broker.store.survey import survey_segments
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _enter(self, group: Group, segment: Segment) -> str | None:
        return super()._enter(group._replace(before=None), segment)


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
