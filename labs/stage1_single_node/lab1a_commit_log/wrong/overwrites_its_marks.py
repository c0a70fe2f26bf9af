"""Writes the next group over the mark: a crash in that takes the proof away."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.ports import Plan, Write

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def note_durable(self) -> Plan:
        plan = super().note_durable()
        for write in plan:
            if isinstance(write, Write):
                self._state.segments[-1].end_position -= len(write.data)
        return plan
