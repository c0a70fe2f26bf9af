"""Takes the longer log for the better one, whatever the terms of the last entries.

Seen in: student guides name it first. Breaks: a leader has all that was committed. Paper: Raft, section 5.4.1.
"""

from mq.core.ids import EntryId
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _is_up_to_date(self, last: EntryId) -> bool:
        return last.index >= self.log.last.index
