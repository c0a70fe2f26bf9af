"""A candidate names the term that it campaigns in as the term of its last entry, so that a poor log wins.

Seen in: DLedger #52. Breaks: a leader has all that was committed. Paper: Raft, section 5.4.1.
"""

from mq.core.ids import Term
from mq.raft.messages import VoteRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _ask_for_votes(self, term: Term, *, is_pre_vote: bool = False, is_transfer: bool = False) -> None:
        send = self._tell if is_pre_vote else self._promise
        for voter in self.configuration.members:
            if voter != self.node_id and self.configuration.is_voter(voter):
                last = self.log.last._replace(term=term)
                send(VoteRequest(self.node_id, voter, term, last, is_pre_vote, is_transfer))
