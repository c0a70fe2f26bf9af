"""Who may not campaign begins its time-out anew, and takes the leader that it waited for in vain for well again.

Breaks: some time a leader is elected, where that node is needed to vote. Paper: Raft, section 6; thesis: section 4.2.3.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _time_out(self) -> None:
        if self.role in {Role.LEADER, Role.MUTE}:
            return
        if not self._may_campaign():
            self._restart_timer()
        elif self.options.has_pre_vote:
            self._become_pre_candidate()
        else:
            self._become_candidate(Event.TIMES_OUT_UNASKED)
