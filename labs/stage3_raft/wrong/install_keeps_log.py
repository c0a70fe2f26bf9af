"""Installing a snapshot leaves the log as it is, though it may contradict it or end before it.

Breaks: what is committed is in the log or in the snapshot. Paper: Raft, figure 13, rule 7: "Discard the entire log".
"""

from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _restart_log(self, snapshot: Snapshot) -> None:
        pass
