"""A learner's copy counts like a voter's.

Breaks: what is committed is on a majority of voters. Thesis: section 4.2.1.
"""

from mq.raft.node import RaftNode
from mq.raft.quorum import majority

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        now = self.configuration
        heaps = [(len(voters), {*voters, *now.learners}) for voters in (now.voters, now.old_voters) if voters]
        values = [(majority(count), sorted(map(self._durable_index_of, heap), reverse=True)) for count, heap in heaps]
        index = min(copies[needed - 1] for needed, copies in values)
        if index > self.commit_index and self._may_count(index):
            self._commit_to(index)
