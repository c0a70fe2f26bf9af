"""Gives its vote in a term to all who ask.

Seen in: whoever loses a vote does this after a restart. Breaks: one leader a term. Paper: Raft, figure 2, RequestVote 2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _may_vote_for(self, candidate: int) -> bool:  # noqa: ARG002  # that is the mistake
        return True
