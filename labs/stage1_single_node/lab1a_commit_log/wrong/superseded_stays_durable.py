"""Entries that another append is about to supersede still count as durable."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    @property
    def durable_index(self) -> LogIndex:
        return LogIndex(min(self._state.synced_index, self.last_index))
