"""The vote of the last term binds in the next one.

Breaks: some time a leader is elected. Paper: Raft, figure 2: votedFor in the *current* term.
"""

from mq.core.ids import Term
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _enter_term(self, term: Term, vote: int | None = None) -> None:
        super()._enter_term(term, self.vote if vote is None else vote)
