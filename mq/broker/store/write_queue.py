"""Appends on their way to the disk: in order, and several with one sync where that is the same.

Each append's plan ends with a sync. When more wait, the sync of one that is followed by another write to the same file
proves nothing that the next sync does not: it is left out. A plan that begins a new segment goes alone, so that when there
is no room for the segment nothing before it has to be taken back.
"""

from collections import deque

from mq.core.entry import Appended
from mq.core.ports import Operation, Plan, Sync, Write

__all__ = ["WriteQueue"]

_BYTES_MAX = 8 << 20
"""In one plan, so that the first of a long queue need not wait for all of it."""


def _file_of(appended: Appended) -> str | None:
    """The file that a plain append is written to; None when its plan does more."""
    match appended.plan:
        case (Write(file), Sync(synced)) if file == synced:
            return file
    return None


class WriteQueue:
    """Appends that wait, and the batch that is under way."""

    def __init__(self) -> None:
        self._waiting: deque[Appended] = deque()
        self._under_way: list[int] = []

    @property
    def is_busy(self) -> bool:
        """Whether a batch is under way."""
        return bool(self._under_way)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self._waiting or self._under_way)

    def put(self, appended: Appended) -> None:
        """Behind all others."""
        self._waiting.append(appended)

    def take(self) -> Plan:
        """What is to be carried out now; empty when nothing waits. Call it when no batch is under way."""
        if not self._waiting:
            return ()
        first = self._waiting.popleft()
        self._under_way = [first.sequence]
        file = _file_of(first)
        if file is None or not self._waiting or _file_of(self._waiting[0]) != file:
            return first.plan
        operations: list[Operation] = [first.plan[0]]
        size_bytes = _size(first)
        while self._waiting and size_bytes < _BYTES_MAX and _file_of(self._waiting[0]) == file:
            following = self._waiting.popleft()
            self._under_way.append(following.sequence)
            operations.append(following.plan[0])
            size_bytes += _size(following)
        return (*operations, Sync(file))

    def done(self) -> int:
        """The batch is durable: its last sequence."""
        last = self._under_way[-1]
        self._under_way = []
        return last

    def refused(self) -> tuple[int, ...]:
        """There was no room for the batch: the sequences of it and of all that waits behind, which is not to be begun."""
        sequences = (*self._under_way, *(appended.sequence for appended in self._waiting))
        self._under_way = []
        self._waiting.clear()
        return sequences


def _size(appended: Appended) -> int:
    write = appended.plan[0]
    return len(write.data) if isinstance(write, Write) else 0
