"""A leader whose disk took nothing goes on, and gives the index of what was lost to the next command.

Seen in: DLedger, which writes failures into its own log only. Breaks: equal logs. Paper: Raft, section 5.3, Log Matching.
"""

from mq.raft.node import RaftNode
from mq.raft.output import Output
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def save_failed(self, sequence: int) -> Output:
        role, self.role = self.role, Role.FOLLOWER
        output = super().save_failed(sequence)
        self.role = role
        for peer in self.peers.values():
            peer.next_index = min(peer.next_index, self.log.last.index + 1)
        return output
