"""Who installs a snapshot goes on with the members that it knew before.

Breaks: two majorities always meet; a new member never becomes one. Paper: Raft, figure 13, rule 8.
"""

from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _take_snapshot_over(self, snapshot: Snapshot) -> None:
        before = self.configuration
        super()._take_snapshot_over(snapshot)
        self.configurations = ((snapshot.last.index, before),)
        self._put_in_force()
