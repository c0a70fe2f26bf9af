"""Takes the leader's commit index for its own, though it may hold less, or something else there.

Seen in: DLedger #278. Breaks: what is committed is the same everywhere. Paper: Raft, figure 2, AppendEntries 5.
"""

from mq.core.ids import LogIndex
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _committed_of(self, message: AppendRequest) -> LogIndex:
        return message.commit_index
