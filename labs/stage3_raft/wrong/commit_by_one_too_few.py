"""One copy fewer than a majority is enough to commit.

Seen in: quorums counted as n // 2. Breaks: what is committed is on a quorum. Paper: Raft, section 5.3.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        majorities = filter(None, (self.configuration.voters, self.configuration.old_voters))
        values = (sorted(map(self._durable_index_of, voters), reverse=True) for voters in majorities)
        index = min(copies[max(len(copies) // 2 - 1, 0)] for copies in values)
        if index > self.commit_index and self._may_count(index):
            self._commit_to(index)
