"""Four wrong Rafts, each the right one with one rule taken out: what a search must find to be believed.

More of them are among the labs, and can be explored by file and class.
"""

from mq.core.ids import EntryId
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

__all__ = ["CountsAnyTerm"]


class CountsAnyTerm(RaftNode):
    """Commits what a quorum has, of whatever term. Paper: Raft, section 5.4.2 says why not."""

    __slots__ = ()

    def _may_count(self, index: int) -> bool:
        return self.log.term_at(index) is not None
