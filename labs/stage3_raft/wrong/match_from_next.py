"""On an answer takes all that was sent for received, not what the answer is about.

Seen in: student guides (matchIndex = nextIndex - 1). Breaks: what is committed is on a quorum. Paper: Raft, figure 2, Leaders.
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
        if peer is not None and message.is_matching:
            message = message._replace(match_index=LogIndex(peer.next_index - 1))
        super().on_append_reply(message)
