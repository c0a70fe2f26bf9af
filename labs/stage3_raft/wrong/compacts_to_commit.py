"""Cuts the log up to what is committed, not up to what the snapshot stands for.

Breaks: what is committed is in the log or in the snapshot. Paper: Raft, section 7.
"""

from mq.core.ids import LogIndex
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _compact(self, keep_from: LogIndex | None) -> None:  # noqa: ARG002  # that is the mistake
        self._forget = self.log.forget_before(self.apply_to + 1)
        self._has_work = self._has_work or bool(self._forget)
