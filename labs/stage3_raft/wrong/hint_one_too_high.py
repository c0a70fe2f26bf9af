"""After a rejection the leader goes on one entry behind the one that may agree.

Breaks: some time a follower is repaired. Paper: Raft, section 5.3.
"""

from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        if not message.is_matching and message.rejected_index:
            peer = self.peers.get(message.sender)
            if peer is not None and self._is_current_rejection(peer, message):
                peer.is_active = True
                peer.probe_from(min(message.hint.index + 2, self.log.last.index + 1))
                self._feed(peer)
            return
        super().on_append_reply(message)
