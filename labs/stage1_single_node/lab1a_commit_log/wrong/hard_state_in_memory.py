"""Term and vote are remembered, and never written."""

from collections.abc import Sequence
from dataclasses import replace

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        if not entries:
            appended = super().append(after_index, entries, hard_state)
            return replace(appended, plan=())
        appended = super().append(after_index, entries, None if hard_state is None or self.hard_state.term else hard_state)
        self._state.hard_state = hard_state or self._state.hard_state
        return appended
