"""Gives its vote in a term to all who ask.

Seen in: jraft and raft-java, by way of a lost vote. Breaks: one leader a term. Paper: Raft, figure 2, RequestVote 2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _may_vote_for(self, candidate: int) -> bool:  # noqa: ARG002  # that is the mistake
        return True
