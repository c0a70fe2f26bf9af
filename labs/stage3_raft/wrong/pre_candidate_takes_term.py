"""Who only asks whether it could win has taken the new term already.

Breaks: a node that was cut off disturbs nobody when it is back. Thesis: section 9.6.
"""

from mq.core.ids import Term
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _become_pre_candidate(self) -> None:
        self._enter_term(Term(self.term + 1))
        super()._become_pre_candidate()
