"""A follower acknowledges all that it holds, also what the leader never spoke of.

Seen in: many solutions of courses. Breaks: what is committed is on a quorum. Paper: Raft, figure 2, AppendEntries.
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
        if self._agrees_at(message.previous):
            self._take(message.entries)
            match = self.log.last.index
            self._commit_to(self._committed_of(message))
            reply = AppendReply(self.node_id, message.sender, self.term, True, match, LogIndex(0), _NO_ENTRY, message.round)  # noqa: FBT003
        else:
            hint = self.log.last_at_most(message.previous.index, message.previous.term)
            rejected = message.previous.index
            reply = AppendReply(self.node_id, message.sender, self.term, False, LogIndex(0), rejected, hint, message.round)  # noqa: FBT003
        self._promise(reply)
