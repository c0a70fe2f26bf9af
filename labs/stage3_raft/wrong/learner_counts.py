"""A learner's copy counts like a voter's.

Breaks: what is committed is on a majority of voters. Thesis: section 4.2.1.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        now = self.configuration
        index = now._replace(voters=(*now.voters, *now.learners)).quorum_value(self._durable_index_of)
        if index > self.commit_index and self._may_count(index):
            self._commit_to(index)
