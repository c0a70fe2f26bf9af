"""Hands leadership over while members change: the entry that ends the change comes behind what the next leader was given.

Breaks: the group has a leader after a hand-over; one that lacks entries cannot win. Thesis: section 3.10.
"""

from mq.raft.errors import ChangeRefusedError
from mq.raft.node import RaftNode
from mq.raft.output import Output

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def transfer(self, to: int) -> Output:
        self._check_leads()
        if to == self.node_id or to not in self.configuration.voters or to not in self.peers:
            raise ChangeRefusedError(f"node {to} cannot take over: it is not another voter of this group")
        self.transfer_to, self.transfer_elapsed_ticks = to, 0
        self._hand_over_to(self.peers[to])
        return self._finish()
