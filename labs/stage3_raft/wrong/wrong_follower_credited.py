"""An answer is credited to the follower that was written to last, as a closure over a loop's variable does.

Seen in: Maelstrom's Raft in Python. Breaks: what is committed is on a quorum, with 5 nodes. Paper: Raft, figure 2, Leaders.
"""

from mq.raft.messages import AppendReply, Message
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ("_written_to_last",)

    def _tell(self, message: Message) -> None:
        self._written_to_last = message.to
        super()._tell(message)

    def on_append_reply(self, message: AppendReply) -> None:
        if message.is_matching:
            message = message._replace(sender=self._written_to_last)
        super().on_append_reply(message)
