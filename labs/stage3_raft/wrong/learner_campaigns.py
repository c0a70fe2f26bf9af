"""A node without a vote campaigns.

Breaks: a leader that is well stays, and leaders are voters. Thesis: section 4.2.1.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _time_out(self) -> None:
        if self.role in {Role.LEADER, Role.MUTE}:
            self._restart_timer()
        else:
            self._become_candidate(Event.TIMES_OUT_UNASKED)
