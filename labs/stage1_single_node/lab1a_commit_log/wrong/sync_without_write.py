"""Syncs what it read and does not write it again: after a failed sync that makes nothing durable. PostgreSQL, 2018."""

from collections.abc import Mapping

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.recovery import _Recovery as Right
from mq.broker.store.segment import Segment
from mq.broker.store.survey import survey_segments
from mq.core.ports import Steps, Sync

__all__ = ["CommitLog"]


class _Recovery(Right):
    def _write_again(self, segment: Segment) -> Steps[None]:
        self.repairs.append(Sync(segment.file))
        yield from ()


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        return (yield from _Recovery(self._state, (yield from survey_segments(files)), checkpoint).run())
