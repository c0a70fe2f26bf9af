"""Makes a voter of a node that has nothing of the log yet.

Breaks: the group goes on while a member is added. Paper: Raft, section 6, first issue; thesis: section 4.2.1.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _has_caught_up(self, node_id: int) -> bool:  # noqa: ARG002  # that is the mistake
        return True
