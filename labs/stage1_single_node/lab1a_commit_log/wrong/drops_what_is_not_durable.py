"""Removes segments although what follows them is not durable yet."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.ids import CommitLogPosition, LogIndex
from mq.core.ports import Plan

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def drop_before(self, index: LogIndex) -> Plan:
        state, before = self._state, self._state.durable_end
        state.durable_end = CommitLogPosition(state.segments.end_position)
        plan = super().drop_before(index)
        state.durable_end = before
        return plan
