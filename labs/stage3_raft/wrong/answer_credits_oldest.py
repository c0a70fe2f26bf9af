"""Each answer is taken for that to the oldest request that waits for one, so that one that comes twice counts for two.

Breaks: what is committed is on a quorum. Paper: Raft, section 5.3: requests are idempotent, so answers must say what they mean.
"""

from mq.core.ids import LogIndex
from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        peer = self.peers.get(message.sender)
        if peer is not None and message.is_matching and peer.in_flight:
            message = message._replace(match_index=LogIndex(peer.in_flight[0]))
        super().on_append_reply(message)
