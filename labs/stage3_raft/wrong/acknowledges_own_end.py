"""A follower acknowledges all that it holds, also what the leader never spoke of.

Seen in: many solutions of courses. Breaks: what is committed is on a quorum. Paper: Raft, figure 2, AppendEntries.
"""

from mq.core.ids import LogIndex
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _match_after(self, message: AppendRequest) -> LogIndex:
        return self.log.last.index if message.previous.index <= self.log.last.index else super()._match_after(message)

    def _committed_of(self, message: AppendRequest) -> LogIndex:
        return min(message.commit_index, super()._match_after(message))
