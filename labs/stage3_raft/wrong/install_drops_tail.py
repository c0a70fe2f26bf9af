"""Installing a snapshot empties the log, also of what stands behind the snapshot's end.

Breaks: what was acknowledged is there. Paper: Raft, figure 13, rule 6: "retain log entries following it".
"""

from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _take_snapshot_over(self, snapshot: Snapshot) -> None:
        self._restart_log(snapshot)
        super()._take_snapshot_over(snapshot)
