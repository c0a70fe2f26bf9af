"""Members stay in force though the entry that brought them is superseded.

Breaks: two majorities always meet. Paper: Raft, section 6: the latest configuration *in its log*.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _unlearn(self, after_index: int) -> None:
        pass
