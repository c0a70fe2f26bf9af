"""When a segment begins, syncs the one that is full and not the new one."""

from collections.abc import Sequence
from dataclasses import replace

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex
from mq.core.ports import Sync

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        return replace(appended, plan=(*appended.plan[:-1], Sync(appended.plan[0].file)))
