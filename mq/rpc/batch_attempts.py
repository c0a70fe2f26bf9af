"""Batches that are not stored at the first attempt: what is known of each of them, and when it is tried again."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mq.client.errors import NoAnswerError, UnreachableError
from mq.client.views import BatchResult
from mq.core.errors import MqError, NotServingError

__all__ = ["PAUSE_MAX_S", "PAUSE_MIN_S", "Attempts", "Batch", "Timer"]

PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 1.0
_DOUBLED_MAX = 10  # by then it is the longest pause; two to the power of all attempts is too much for a float


class Timer(Protocol):
    """What is to come, and can be called off."""

    def cancel(self) -> None:
        """Not any more."""
        ...


@dataclass(slots=True)
class Batch:
    """A batch under way. frame: the serialized BatchSend. due: its time is up then (event-loop time).

    is_out: sent, and not answered yet. is_in_doubt: it may be stored, as of an attempt nobody said what became of it.
    answer: the last one that did not say that it is stored.
    """

    sequence: int
    frame: bytes
    done: "asyncio.Future[BatchResult]"
    due: float
    is_out: bool = False
    is_in_doubt: bool = False
    answer: MqError | None = None

    def refused(self, error: MqError) -> None:
        """The broker answered that it could not store it, or does not know whether it has."""
        self.is_out, self.answer = False, error
        self.is_in_doubt |= not error.definite

    def lost(self, *, is_sent: bool) -> None:
        """Its stream is over. is_sent: what went out by it may have arrived."""
        self.is_in_doubt |= self.is_out and is_sent
        self.is_out = False

    def late(self, where: str, timeout_s: float, unreachable: UnreachableError | None) -> MqError:
        """What its sender is told when its time is up. unreachable: why no broker is connected now."""
        told = "" if self.answer is None else f"the last answer was: {self.answer}"
        if unreachable is not None and not self.is_in_doubt:
            return UnreachableError(f"{unreachable}; {told}") if told else unreachable
        if not told:
            return NoAnswerError(f"{where} did not answer a batch within {timeout_s:g} s; it may be stored")
        if self.is_in_doubt or self.is_out:
            return NoAnswerError(f"{where} did not acknowledge a batch within {timeout_s:g} s; it may be stored; {told}")
        return NotServingError(f"{where} took no batch within {timeout_s:g} s, and it is not stored: {self.answer}")


class Attempts:
    """Batches that the broker could not take just now, tried again one at a time and ever more rarely, until it takes one.

    A broker that refuses one (its disk is full, it has no leader) refuses all, and writes a line about each. send: called with a
    batch whose turn it is. call_later: as an event loop's.
    """

    def __init__(self, send: Callable[[Batch], None], call_later: Callable[[float, Callable[[], None]], Timer]) -> None:
        self._send, self._call_later = send, call_later
        self._held: deque[Batch] = deque()
        self._timer: Timer | None = None
        self._in_vain = 0  # attempts since a batch was taken
        self._is_taking = True  # as of the last answer

    def hold(self, batch: Batch) -> None:
        """Not now, but soon."""
        self._is_taking = False
        self._held.append(batch)
        self._wait()

    def taken(self) -> None:
        """The broker took one: it may take the others, after the shortest pause."""
        self._is_taking = True
        if self._in_vain:
            self._in_vain = 0
            self._stop_waiting()
            self._wait()

    def forget(self) -> None:
        """Hold none any more: they go another way."""
        self._held.clear()
        self._stop_waiting()

    def _wait(self) -> None:
        if self._held and self._timer is None:
            pause_s = min(PAUSE_MIN_S * 2 ** min(self._in_vain, _DOUBLED_MAX), PAUSE_MAX_S)
            self._timer = self._call_later(pause_s, self._go_on)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        self._in_vain += not self._is_taking
        left = len(self._held) if self._is_taking else 1
        while self._held and left:
            batch = self._held.popleft()
            if not batch.done.done():  # else its time was up meanwhile
                left -= 1
                self._send(batch)
        self._wait()
