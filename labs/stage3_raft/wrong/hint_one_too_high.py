"""After a rejection the leader goes on one entry behind the one that may agree.

Breaks: some time a follower is repaired. Paper: Raft, section 5.3.
"""

from mq.core.ids import EntryId, LogIndex
from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        behind = EntryId(self.term, LogIndex(message.hint.index + 1))
        super().on_append_reply(message._replace(hint=behind))
