"""Takes the leader's commit index as it comes, lower ones as well.

Breaks: what is committed stays. Paper: Raft, figure 2: "If leaderCommit > commitIndex".
"""

from mq.core.ids import LogIndex
from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _commit_to(self, index: int) -> None:
        if self.role is Role.FOLLOWER:
            self.commit_index = min(self.commit_index, LogIndex(index))
        super()._commit_to(index)
