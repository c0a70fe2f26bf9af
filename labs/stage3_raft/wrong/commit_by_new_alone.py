"""While members change the new ones alone decide what is committed.

Breaks: two majorities always meet: the old members may elect another leader. Paper: Raft, section 6, "separate majorities".
"""

from mq.raft.node import RaftNode
from mq.raft.quorum import quorum_value

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        index = quorum_value(self.configuration.voters, self._durable_index_of)
        if index > self.commit_index and self._may_count(index):
            self._commit_to(index)
