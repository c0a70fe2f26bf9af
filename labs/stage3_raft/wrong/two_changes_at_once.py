"""Begins a change of members while another is under way, and forgets the old voters of the first.

Breaks: two majorities always meet. Thesis: section 4.1.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _is_changing(self) -> bool:
        return False
