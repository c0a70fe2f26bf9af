"""Says of damage in a segment that others follow that one can read on in the next one, past whole groups behind the damage."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.scan import GroupReader
from mq.broker.store.segment import Segment
from mq.broker.store.survey import Flaw, survey_segments
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _judge_end(self, segment: Segment, reader: GroupReader, *, is_followed: bool) -> Steps[None]:
        if not is_followed:
            yield from super()._judge_end(segment, reader, is_followed=is_followed)
            return
        resumes_at = segment.next_base + segment.first_group_position - segment.base_position
        self._report(Flaw(segment.file, reader.at, reader.position, "a later segment proves that it was synced", resumes_at))


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
