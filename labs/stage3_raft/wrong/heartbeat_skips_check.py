"""A request without entries always succeeds: it is taken for a sign of life alone.

Seen in: student guides. Breaks: what is acknowledged is there. Paper: Raft, section 5.3.
"""

from mq.core.ids import LogIndex
from mq.raft.messages import AppendReply, AppendRequest
from mq.raft.node import RaftNode
from mq.raft.replication import _NO_ENTRY

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_request(self, message: AppendRequest) -> None:
        self._follow(message.sender)
        if not message.entries or self._agrees_at(message.previous):
            self._take(message.entries)
            match = self._match_after(message)
            self._commit_to(self._committed_of(message))
            reply = AppendReply(self.node_id, message.sender, self.term, True, match, LogIndex(0), _NO_ENTRY, message.round)  # noqa: FBT003
        else:
            hint = self.log.last_at_most(message.previous.index, message.previous.term)
            rejected = message.previous.index
            reply = AppendReply(self.node_id, message.sender, self.term, False, LogIndex(0), rejected, hint, message.round)  # noqa: FBT003
        self._promise(reply)
