"""Long work of the disk in short pieces, so that the log's own writes, which callers wait for, go in between.

A snapshot's consume queues may be hundreds of files, each with a sync of its own. The lane carries out one plan after the other,
so the next piece is given to it only when the one before is done.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from mq.core.errors import MqError
from mq.core.ports import Operation, Plan, Write
from mq.server.lane import StorageLane

__all__ = ["ForgottenError", "Piecemeal"]

_STEPS_MAX = 8
"""Of one piece: operations that wait for the disk, all but writes."""


class ForgottenError(MqError):
    """The work was not carried out to its end, for nobody needs it any more."""


class _Work(NamedTuple):
    pieces: deque[Plan]
    ended: Callable[[MqError | None], None]


class Piecemeal:
    """Works go in from the event loop, and are carried out one after the other, each in its order and up to its first error."""

    def __init__(self, lane: StorageLane) -> None:
        self._lane = lane
        self._works: deque[_Work] = deque()
        self._under_way: Plan | None = None

    @property
    def files(self) -> set[str]:
        """Those that what was added, and is not done yet, is about: not all of them need be there yet."""
        plans = [self._under_way or (), *(piece for work in self._works for piece in work.pieces)]
        return {operation.file for plan in plans for operation in plan}

    def add(self, plan: Plan, ended: Callable[[MqError | None], None]) -> None:
        """Behind all others. ended(error): called in the event loop; None = all of it is done."""
        self._works.append(_Work(deque(_pieces(plan)), ended))
        if self._under_way is None:
            self._go_on()

    def _go_on(self) -> None:
        while self._works:
            work = self._works[0]
            self._under_way = work.pieces.popleft() if work.pieces else ()
            if self._under_way:
                self._lane.submit(self._under_way, partial(self._on_piece, work))
                return
            self._works.popleft()
            work.ended(None)
        self._under_way = None

    def _on_piece(self, work: _Work, error: MqError | None) -> None:
        if error is not None and self._works and self._works[0] is work:  # else it is forgotten
            self._works.popleft()
            work.ended(error)
        self._go_on()

    def forget(self) -> None:
        """Begin no further piece of what was added so far; each work ends with ForgottenError."""
        works, self._works = self._works, deque()
        for work in works:
            work.ended(ForgottenError("nobody needs it any more"))

    async def wait(self) -> None:
        """Come back when all that was added so far has ended, however."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add((), lambda _error: None if future.done() else future.set_result(None))
        await future


def _pieces(plan: Plan) -> Iterator[Plan]:
    piece: list[Operation] = []
    steps = 0
    for operation in plan:
        piece.append(operation)
        steps += not isinstance(operation, Write)
        if steps == _STEPS_MAX:
            yield tuple(piece)
            piece, steps = [], 0
    if piece:
        yield tuple(piece)
