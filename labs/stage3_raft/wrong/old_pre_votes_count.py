"""A yes to the question "would you?" counts whatever term it was asked about, also one of long ago.

Asked in: etcd-io/raft #70, how a node knows which of its questions an answer belongs to. Breaks: nobody enters a new term for
nothing: who said yes may have voted since, or follow a leader that is well. Thesis: section 9.6.
"""

from mq.raft.messages import VoteReply
from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_vote_reply(self, message: VoteReply) -> None:
        if message.is_pre_vote:
            if self.role is Role.PRE_CANDIDATE:
                self._count_vote(message.sender, is_granted=message.is_granted)
        elif self.role is Role.CANDIDATE and message.term == self.term:
            self._count_vote(message.sender, is_granted=message.is_granted)
