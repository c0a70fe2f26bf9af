"""Does not notice that entries are superseded while it reads: old and new ones come together as if they were one log."""

from typing import Any

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.scan import read_entries
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Blind:
    """What a log knows, but for how often entries were superseded."""

    superseded_count = 0

    def __init__(self, state: LogState) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        blind: Any = _Blind(self._state)
        return (yield from read_entries(blind, first, last, bytes_max))
