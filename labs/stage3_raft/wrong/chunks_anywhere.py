"""A chunk of a snapshot is put behind the others without a look at where it belongs.

Breaks: equal states, when a chunk comes twice or one is lost. Paper: Raft, figure 13, rule 3.
"""

from mq.raft.messages import SnapshotRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_snapshot_request(self, message: SnapshotRequest) -> None:
        incoming = self._incoming_for(message)
        super().on_snapshot_request(message if incoming is None else message._replace(at=incoming.received_bytes))
