"""A snapshot that comes late takes the place of newer state.

Seen in: RabbitMQ's ra before #508. Breaks: what is committed stays. Paper: Raft, figure 13.
"""

from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _is_news(self, snapshot: Snapshot) -> bool:
        return snapshot.last.index != self.snapshot.last.index
