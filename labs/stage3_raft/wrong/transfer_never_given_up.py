"""A hand-over that comes to nothing is never over: no client is served any more.

Breaks: a leader that is well serves. Thesis: section 3.10: it ends after an election time-out.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _tick_leader(self) -> None:
        self.transfer_elapsed_ticks = 0
        super()._tick_leader()
