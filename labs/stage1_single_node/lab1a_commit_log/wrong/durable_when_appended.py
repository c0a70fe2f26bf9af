"""Takes the last entry for durable as soon as it is appended."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    @property
    def durable_index(self) -> LogIndex:
        return self.last_index
