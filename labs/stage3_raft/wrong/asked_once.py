"""In doubt a follower is asked once, and is sent nothing before it answers: when that question is lost there is no other.

Breaks: some time a follower is repaired. Paper: Raft, section 5.3: "retries AppendEntries indefinitely".
"""

from mq.raft.messages import AppendRequest, Message
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _tell(self, message: Message) -> None:
        peer = self.peers.get(message.to)
        if isinstance(message, AppendRequest) and not message.entries and peer is not None and peer.is_waiting:
            return
        super()._tell(message)
