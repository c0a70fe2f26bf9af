"""A chunk of an older snapshot that comes late throws away the newer one that is on its way here, though it be complete.

Breaks: some time all is replicated; what was received is not lost. Paper: Raft, figure 13, rules 2 and 5.
"""

from mq.raft.messages import SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.snapshotting import Incoming

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _incoming_for(self, message: SnapshotRequest) -> Incoming | None:
        incoming = self.incoming
        if incoming is not None and (incoming.leader, incoming.snapshot) == (message.sender, message.snapshot):
            return incoming
        return Incoming(message.sender, message.snapshot, 0, is_complete=False)
