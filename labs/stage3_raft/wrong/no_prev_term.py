"""Takes entries when it has one of the right index before them, of whatever term.

Seen in: NATS before #3277. Breaks: equal logs. Paper: Raft, section 5.3, Log Matching.
"""

from mq.core.ids import EntryId
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _agrees_at(self, previous: EntryId) -> bool:
        return previous.index <= self.log.last.index
