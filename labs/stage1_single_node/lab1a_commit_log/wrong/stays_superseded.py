"""Takes back an append that superseded entries, but not what that did to the segments: retention then removes too many."""

from collections.abc import Sequence

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        self._unsynced._waiting[-1].before.lowered = {}  # noqa: SLF001 - the one edit
        return appended
