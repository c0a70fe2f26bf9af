"""How far a replaced commit log is durable, counted from outside by what it was given and by what it was told is done.

A log that says too much lets its leader acknowledge what a power loss takes away; one that says too little, or does not listen
to `synced`, keeps a whole group from ever committing anything. `mq.raft.port.LogStorage` says what is right: the newest entry
that is durable and that no append after it supersedes. Nothing here depends on how long a disk takes.
"""

import weakref
from collections import deque
from typing import Any, NamedTuple

__all__ = ["DurableCount", "count_from", "count_of"]


class _Waiting(NamedTuple):
    """An append or a reset that is not durable yet.

    end: the log's last entry behind it, None when it holds none. stays: entries up to here are not superseded by it. is_reset: no
    entry is kept.
    """

    sequence: int
    end: int | None
    stays: int | None
    is_reset: bool


class DurableCount:
    """Of one log, from its recovery on.

    end: of the entries that the disk is done with. least: what the log has to say of itself, at least.
    """

    def __init__(self, end: int) -> None:
        self.end, self.least = end, 0
        self._sequence = -1
        self._waiting: deque[_Waiting] = deque()

    def appended(self, sequence: int, after_index: int, entries: Any) -> str | None:
        """Returns what is wrong with that sequence."""
        if not entries:
            return self._add(_Waiting(sequence, None, None, is_reset=False))
        return self._add(_Waiting(sequence, entries[-1].index, after_index, is_reset=False))

    def was_reset(self, sequence: int, last: int) -> str | None:
        """Returns what is wrong with that sequence."""
        return self._add(_Waiting(sequence, last, last, is_reset=True))

    def _add(self, waiting: _Waiting) -> str | None:
        before = self._waiting[-1].sequence if self._waiting else self._sequence
        if type(waiting.sequence) is not int or waiting.sequence <= before:
            return f"returned the sequence {repr(waiting.sequence)[:40]} behind {before}: what `synced` is about would be unclear"
        self._waiting.append(waiting)
        return None

    def synced(self, sequence: int) -> None:
        """Up to this one the disk is done."""
        while self._waiting and self._waiting[0].sequence <= sequence:
            done = self._waiting.popleft()
            self._sequence = done.sequence
            if done.end is not None:
                self.end, self.least = done.end, 0 if done.is_reset else done.end

    def abandoned(self, sequence: int) -> None:
        """The newest one is not carried out."""
        if self._waiting and self._waiting[-1].sequence == sequence:
            self._waiting.pop()

    @property
    def most(self) -> int:
        """More than this cannot be durable."""
        return min([self.end, *(waiting.stays for waiting in self._waiting if waiting.stays is not None)])

    def what_is_wrong(self, durable: int, *, was_told: bool) -> str | None:
        """With what a log says of itself. was_told: it was just told what is done."""
        most = self.most
        if durable > most:
            return (
                f"leaves a log that says that entries up to {durable} are durable, and only those up to {most} are: "
                "the disk is not done with what is behind them, or it is superseded"
            )
        is_forgetting = any(waiting.is_reset for waiting in self._waiting)
        if was_told and durable < self.least <= most and not is_forgetting:
            return f"was told that entries up to {self.least} are durable, and the log says that only those up to {durable} are"
        return None


_counts: dict[int, tuple["weakref.ref[Any]", DurableCount]] = {}
"""By the identity of a log. A count goes with its log."""


def count_from(log: Any, end: int) -> None:
    """A log was opened, and holds entries up to `end`."""
    key = id(log)
    try:
        _counts[key] = weakref.ref(log, lambda _gone: _counts.pop(key, None)), DurableCount(end)
    except TypeError:  # of a class that allows no such thing, nothing is counted
        _counts.pop(key, None)


def count_of(log: Any) -> DurableCount | None:
    """None for a log that was not opened, or cannot be remembered."""
    known = _counts.get(id(log))
    return None if known is None else known[1]
