"""A snapshot claims to stand for all that is committed, though the state has not applied it yet.

Seen in: caches that save state and index one after the other. Breaks: equal states. Paper: Raft, section 7: lastApplied.
"""

from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def take_snapshot(self) -> Snapshot | None:
        before, self.applied_index = self.applied_index, self.commit_index
        snapshot = super().take_snapshot()
        self.applied_index = before
        return snapshot
