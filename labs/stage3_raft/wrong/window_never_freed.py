"""Answers do not make room for more requests: with the last of the window the follower is forgotten.

Seen in: RabbitMQ and openraft, as stuck groups (#14675, #1960). Breaks: some time all is replicated. Thesis: section 10.2.1.
"""

from mq.raft.node import RaftNode
from mq.raft.progress import Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _note_match(self, peer: Progress, index: int) -> None:
        in_flight = peer.in_flight.copy()
        is_news = peer.matched(index)
        peer.in_flight = in_flight
        if is_news:
            self._on_matched(peer)
        if self.peers.get(peer.node_id) is peer:
            self._feed(peer)
