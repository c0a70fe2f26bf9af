"""Syncs a new segment's header together with the first group: torn, it looks as if the segment were damaged."""

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
        if made is None:
            return appended
        kept = [operation for number, operation in enumerate(plan) if not (number == made + 2 and isinstance(operation, Sync))]
        return replace(appended, plan=tuple(kept))
