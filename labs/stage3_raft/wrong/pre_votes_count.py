"""A late answer to the question "would you?" counts as a vote.

Seen in: CCF before #8094, in another form. Breaks: one leader a term. Thesis: section 9.6.
"""

from mq.raft.messages import VoteReply
from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_vote_reply(self, message: VoteReply) -> None:
        if message.is_pre_vote and message.is_granted and self.role is Role.CANDIDATE and message.term == self.term:
            self._count_vote(message.sender, is_granted=True)
        else:
            super().on_vote_reply(message)
