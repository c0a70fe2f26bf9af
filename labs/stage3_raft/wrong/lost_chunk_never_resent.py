"""A chunk of a snapshot that is lost is not sent again.

Breaks: some time all is replicated. Paper: Raft, section 7.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _beat(self) -> None:
        for peer in self.peers.values():
            peer.is_silent = False
        super()._beat()
