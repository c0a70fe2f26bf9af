"""A candidate keeps the votes of its last campaign for the next one.

Seen in: solutions of courses that keep the votes in a field. Breaks: one leader a term. Paper: Raft, section 5.2.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _become_candidate(self, event: Event) -> None:
        before = self.votes if self.role is Role.CANDIDATE else {}
        super()._become_candidate(event)
        self.votes |= {voter: True for voter, is_granted in before.items() if is_granted}
