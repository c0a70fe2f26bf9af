"""Syncs first and writes then: what is durable is the group before."""

from collections.abc import Sequence
from dataclasses import replace

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        write, sync = appended.plan[-2:]
        return replace(appended, plan=(*appended.plan[:-2], sync, write))
