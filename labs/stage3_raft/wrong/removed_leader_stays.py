"""A leader that is a member no more goes on leading.

Breaks: a group is led by one of its members. Paper: Raft, section 6, second issue.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _leave(self) -> None:
        self._beat()
