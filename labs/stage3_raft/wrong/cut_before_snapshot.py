"""The log is cut when a snapshot is begun, not when it is on disk.

Seen in: NATS #7043. Breaks: what is committed survives a crash between the two. Paper: Raft, section 7.
"""

from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def take_snapshot(self) -> Snapshot | None:
        snapshot = super().take_snapshot()
        if snapshot is not None:
            self._forget = (*self._forget, *self.log.forget_before(snapshot.last.index + 1))
            self._has_work = True
        return snapshot
