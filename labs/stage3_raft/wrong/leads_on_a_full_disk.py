"""A leader whose disk took nothing goes on, and gives the index of what was lost to the next command.

Seen in: DLedger, which writes failures into its own log only. Breaks: equal logs. Paper: Raft, section 5.3, Log Matching.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _turn(self, event: Event, *, leader: int | None = None) -> None:
        if event is not Event.DISK_FULL or self.role is not Role.LEADER:
            super()._turn(event, leader=leader)
