"""Answers do not make room for more requests: with the last of the window the follower is forgotten.

Seen in: RabbitMQ and openraft, as stuck groups (#14675, #1960). Breaks: some time all is replicated. Thesis: section 10.2.1.
"""

from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode
from mq.raft.progress import PeerState

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        peer = self.peers.get(message.sender)
        before = tuple(peer.in_flight) if peer is not None else ()
        super().on_append_reply(message)
        if peer is not None and peer.state is PeerState.REPLICATE:
            peer.in_flight.extendleft(index for index in reversed(before) if index not in peer.in_flight)
