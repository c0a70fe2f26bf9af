"""A new leader puts nothing into the log: old entries wait for the next client that writes.

Seen in: redisraft #18; DLedger's default. Breaks: what a quorum has gets committed some time. Paper: Raft, section 8.
"""

from collections.abc import Sequence

from mq.core.entry import EntryKind
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _append_own(self, contents: Sequence[tuple[EntryKind, bytes]]) -> None:
        if all(kind is EntryKind.NOOP for kind, _ in contents):
            self._beat()
        else:
            super()._append_own(contents)
