"""Removes a segment as soon as its first entry is below the index, also when later ones of it are not."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.ids import LogIndex
from mq.core.ports import Plan

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def drop_before(self, index: LogIndex) -> Plan:
        later = [view.last_index + 1 for view in self.segments() if view.first_index < index]
        return super().drop_before(LogIndex(max([index, *later])))
