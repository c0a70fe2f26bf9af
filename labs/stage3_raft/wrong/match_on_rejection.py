"""After a rejection everything before the next try is taken for equal.

Seen in: solutions of courses that set matchIndex with nextIndex. Breaks: what is committed is on a quorum.
Paper: Raft, section 5.3: before a success nothing is known.
"""

from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        super().on_append_reply(message)
        peer = self.peers.get(message.sender)
        if peer is not None and not message.is_matching and message.rejected_index:
            peer.match_index = max(peer.match_index, peer.next_index - 1)
            self._advance_commit()
