"""Marks the old segment although the file of a new one may be there: that file says that the old one had ended."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.ports import Plan

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def note_durable(self) -> Plan:
        must_roll, self._must_roll = self._must_roll, False
        plan = super().note_durable()
        self._must_roll = must_roll
        return plan
