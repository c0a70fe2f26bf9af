"""A chunk of a snapshot that is lost is not sent again.

Breaks: some time all is replicated. Paper: Raft, section 7.
"""

from mq.raft.node import RaftNode
from mq.raft.progress import PeerState, Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _ask_again(self, peer: Progress) -> None:
        if peer.state is not PeerState.SNAPSHOT:
            super()._ask_again(peer)
