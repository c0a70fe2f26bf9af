"""Begins a segment while what the one before it got last is not synced."""

from collections.abc import Sequence
from dataclasses import replace

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex
from mq.core.ports import Create, Sync

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        plan = (appended := super().append(after_index, entries, hard_state)).plan
        made = next((number for number, operation in enumerate(plan) if isinstance(operation, Create)), None)
        if not made:
            return appended
        return replace(appended, plan=(*(one for one in plan[:made] if not isinstance(one, Sync)), *plan[made:]))
