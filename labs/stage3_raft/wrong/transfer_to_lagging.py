"""Asks a follower to take over before its log is complete.

Breaks: the group has a leader after a hand-over; one that lacks entries cannot win. Thesis: section 3.10.
"""

from mq.raft.messages import TimeoutNow
from mq.raft.node import RaftNode
from mq.raft.progress import Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _hand_over_to(self, peer: Progress) -> None:
        self._tell(TimeoutNow(self.node_id, peer.node_id, self.term))
