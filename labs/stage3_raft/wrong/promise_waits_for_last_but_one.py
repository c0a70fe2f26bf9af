"""A promise waits for the write before the one that it rests on.

Seen in: counters of writes that are off by one. Breaks: what is promised survives a loss of power. Paper: Raft, figure 2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _hand_out_promises(self) -> None:
        self._last_sequence -= 1
        super()._hand_out_promises()
        self._last_sequence += 1
