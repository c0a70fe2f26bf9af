"""After a campaign that came to nothing the next one is in the same term, where all votes are given.

Breaks: some time a leader is elected. Paper: Raft, section 5.2: "increments its current term".
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _become_candidate(self, event: Event) -> None:
        if self.role is Role.CANDIDATE:
            self._restart_timer()
            self._ask_for_votes(self.term)
        else:
            super()._become_candidate(event)
