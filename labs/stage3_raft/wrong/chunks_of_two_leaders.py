"""A new leader's chunks are put behind those of the last one, when both snapshots stand for the same entry.

Seen in: NebulaGraph #4019, where chunks of an old and a new leader came to one follower. Breaks: equal states: two nodes may
write the same state in other bytes. Paper: Raft, figure 13, rules 2 and 3.
"""

from mq.raft.messages import SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.snapshotting import Incoming

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _incoming_for(self, message: SnapshotRequest) -> Incoming | None:
        if self.incoming is not None and self.incoming.snapshot == message.snapshot:
            return self.incoming
        return super()._incoming_for(message)
