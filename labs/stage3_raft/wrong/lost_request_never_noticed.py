"""Heartbeats stand behind what the follower has, not behind what was sent: nobody learns that a request was lost.

Breaks: some time all is replicated. Paper: Raft, section 5.3: "retries AppendEntries indefinitely".
"""

from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode
from mq.raft.progress import Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _heartbeat(self, peer: Progress) -> AppendRequest:
        sound = super()._heartbeat(peer)
        return sound._replace(previous=self._entry_before(peer.match_index + 1) or sound.previous)
