"""Says that a snapshot is installed when its bytes are on disk, but not yet the log that begins behind it, nor the term.

Seen in: openraft #559, in another form: a crash between a snapshot and its log. Breaks: nothing is promised before it is durable.
Paper: Raft, figure 2 and section 7.
"""

from mq.raft.messages import Message, SnapshotReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _promise(self, message: Message) -> None:
        if isinstance(message, SnapshotReply) and message.is_installed:
            self._tell(message)
        else:
            super()._promise(message)
