"""Counts syncs, not sequences: of several appends that became durable at once it counts one."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.unsynced import UnsyncedAppends

__all__ = ["CommitLog"]


class _Unsynced(UnsyncedAppends):
    def synced(self, sequence: int) -> None:
        if self._waiting and self._waiting[0].sequence <= sequence:
            super().synced(self._waiting[0].sequence)


class CommitLog(Reference):
    """See above."""

    def __init__(self, *, segment_bytes: int = 64 << 20) -> None:
        super().__init__(segment_bytes=segment_bytes)
        self._unsynced = _Unsynced(self._state)
