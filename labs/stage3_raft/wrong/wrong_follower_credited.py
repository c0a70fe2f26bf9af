"""All answers are credited to the last of the followers, as a closure over a loop's variable does.

Seen in: Maelstrom's Raft in Python. Breaks: what a quorum has gets committed, with 5 nodes. Paper: Raft, figure 2, Leaders.
"""

from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        if message.is_matching and self.peers:
            message = message._replace(sender=[*self.peers][-1])
        super().on_append_reply(message)
