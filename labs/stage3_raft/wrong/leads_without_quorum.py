"""A leader that hears of nobody goes on leading, for ever.

Breaks: whoever waits for it learns that it can do nothing. Thesis: section 6.2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _check_quorum(self) -> None:
        pass
