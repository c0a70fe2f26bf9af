"""An answer for which nothing had to be written leaves at once, though it rests on what is still being written.

Breaks: what is promised survives a loss of power. Paper: Raft, figure 2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _hand_out_promises(self) -> None:
        if self._saves:
            super()._hand_out_promises()
        else:
            before, self._saved_sequence = self._saved_sequence, self._last_sequence
            super()._hand_out_promises()
            self._saved_sequence = before
