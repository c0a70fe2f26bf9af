"""Commits up to its own last entry, not to the last one that it knows to agree with the leader's.

Seen in: RabbitMQ's ra before #508; easily read into figure 2. Breaks: what is committed is the same everywhere.
Paper: Raft, figure 2, AppendEntries 5: "index of last new entry".
"""

from mq.core.ids import LogIndex
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _committed_of(self, message: AppendRequest) -> LogIndex:
        return min(message.commit_index, self.log.last.index)
