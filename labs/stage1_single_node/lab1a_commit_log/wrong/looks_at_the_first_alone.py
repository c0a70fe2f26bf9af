"""Looks whether the first entry that it reads was superseded, and not whether a later one was: old and new ones come together."""

from typing import Any

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.scan import read_entries
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _Narrow:
    """What a log knows; for how often entries were superseded stands the term of one of them."""

    def __init__(self, state: LogState, first: LogIndex) -> None:
        self._state, self._first = state, first

    @property
    def superseded_count(self) -> int | None:
        return self._state.term_at(self._first)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        narrow: Any = _Narrow(self._state, first)
        return (yield from read_entries(narrow, first, last, bytes_max))
