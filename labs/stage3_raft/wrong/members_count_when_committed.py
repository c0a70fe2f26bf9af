"""New members count only when they are committed, not when they stand in the log.

Seen in: etcd, which pays for it with rules of its own. Breaks: two majorities always meet. Paper: Raft, section 6.
"""

from mq.core.ids import LogIndex
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        newest = self.configurations
        self.configurations = tuple(found for found in newest if found[0] <= self.commit_index) or newest[:1]
        super()._put_in_force()
        self.configurations = newest

    def _on_committed(self, before: LogIndex) -> None:
        self._put_in_force()
        super()._on_committed(before)
