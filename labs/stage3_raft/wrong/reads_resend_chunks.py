"""Each round of heartbeats sends the chunk of a snapshot that is under way again, also a round that a read asked for.

Made here once. Breaks: what is sent again is sent as time goes by, so that many reads do not fill the network with it.
Paper: Raft, section 7.
"""

from mq.raft.node import RaftNode
from mq.raft.progress import PeerState

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _beat(self) -> None:
        super()._beat()
        for peer in self.peers.values():
            if peer.state is PeerState.SNAPSHOT:
                self._want_chunk(peer)
