"""Says that a snapshot is installed when its last chunk came, not when it is on disk.

Breaks: after a crash the leader takes the follower for complete, and it never is again. Paper: Raft, section 7.
"""

from mq.raft.messages import SnapshotRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_snapshot_request(self, message: SnapshotRequest) -> None:
        super().on_snapshot_request(message)
        incoming = self.incoming
        if incoming is not None and incoming.is_complete and incoming.snapshot == message.snapshot:
            self._answer_chunk(message, incoming.received_bytes, is_installed=True)
