"""Who receives: most of it is acknowledged at once, some late, in part, or never, and some is hidden for another time."""

import asyncio
import time
import zlib
from collections.abc import Sequence
from random import Random

from mq.chaos.calls import Calls
from mq.chaos.history import DONE, REFUSED, UNKNOWN, Ack, Change, Delivery, Journal, Receive
from mq.chaos.setting import AGAIN_S, POLL_S, Progress
from mq.core.errors import MqError, RefusedError
from mq.rpc.message_calls import Delivered

__all__ = ["Consumer"]

_INVISIBLE_S = 10.0
_LONGER_S, _SHORTER_S = 14.0, 1.0
_CHANGED_MAX = 3


class Consumer:
    """One member of a group that reads one topic. counts_backlog: what it acknowledges was counted there."""

    def __init__(
        self, endpoints: str, group: str, topic: str, journal: Journal, progress: Progress, *, counts_backlog: bool
    ) -> None:
        self._endpoints, self._group, self._topic, self._journal, self._progress = endpoints, group, topic, journal, progress
        self._counts_backlog = counts_backlog
        self._late: set[asyncio.Task[None]] = set()
        self._received = 0

    async def run(self, rng: Random) -> None:
        """Until all is over."""
        async with Calls(self._endpoints, first=rng.randrange(16)) as calls:
            while not self._progress.is_over:
                began_s, count = time.monotonic(), rng.randrange(1, 33)
                messages, error = await calls.receive(
                    self._topic, self._group, count=count, wait_s=POLL_S, invisible_s=_INVISIBLE_S
                )
                if messages:
                    seen = tuple(Delivery(m.message_id, zlib.crc32(m.body), m.queue_id, m.offset, m.attempt) for m in messages)
                    self._journal.note(
                        Receive(self._group, self._topic, began_s, time.monotonic(), _INVISIBLE_S, error is None, seen)
                    )
                    self._received += error is None
                    await self._react(rng, calls, messages)
                if error is not None:
                    if isinstance(error, RefusedError):
                        self._progress.refusals.add(f"a receive of {self._group} was refused: {error}")
                    await calls.use_next()
                    await asyncio.sleep(AGAIN_S)
        await asyncio.gather(*self._late)

    async def _react(self, rng: Random, calls: Calls, messages: Sequence[Delivered]) -> None:
        """The first two receives change times, so that no run is without; later ones do what chance says."""
        dice = 1.0 if self._progress.stopping.is_set() else {1: 0.11, 2: 0.13}.get(self._received, rng.random())
        if dice < 0.02:
            return
        if dice < 0.04:
            late = asyncio.create_task(self._ack_late(rng.randrange(16), messages))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return
        if dice < 0.1:
            messages = messages[: rng.randrange(1, len(messages) + 1)]
        elif dice < 0.12:
            kept = await self._change(calls, messages[:_CHANGED_MAX], _LONGER_S)
            messages = [*(kept if rng.random() < 0.5 and self._received > 1 else ()), *messages[_CHANGED_MAX:]]
        elif dice < 0.14:
            await self._change(calls, messages[:_CHANGED_MAX], _SHORTER_S)
            messages = messages[_CHANGED_MAX:]
        if messages:
            await self._ack(calls, messages)

    async def _change(self, calls: Calls, messages: Sequence[Delivered], invisible_s: float) -> list[Delivered]:
        """Returns those that are hidden so now, with their new handles."""
        changed = []
        for one in messages:
            began_s, outcome, error = time.monotonic(), DONE, ""
            try:
                changed.append(await calls.change_invisible(self._topic, self._group, one, invisible_s))
            except MqError as failure:
                outcome, error = REFUSED if failure.definite else UNKNOWN, f"{type(failure).__name__}: {failure}"
                if not isinstance(failure, RefusedError):
                    await calls.use_next()
            ended_s = time.monotonic()
            self._journal.note(
                Change(self._group, self._topic, one.message_id, one.attempt, began_s, ended_s, invisible_s, outcome, error)
            )
        return changed

    async def _ack_late(self, first: int, messages: Sequence[Delivered]) -> None:
        await asyncio.sleep(_INVISIBLE_S + 0.3)
        async with Calls(self._endpoints, first=first) as calls:
            await self._ack(calls, messages)

    async def _ack(self, calls: Calls, messages: Sequence[Delivered]) -> None:
        began_s = time.monotonic()
        try:
            outcomes = [DONE if is_done else REFUSED for is_done in await calls.ack(self._topic, self._group, messages)]
            self._progress.backlog -= outcomes.count(DONE) if self._counts_backlog else 0
        except MqError as failure:
            outcomes = [REFUSED if failure.definite else UNKNOWN] * len(messages)
            await calls.use_next()
        ended_s = time.monotonic()
        for one, outcome in zip(messages, outcomes, strict=True):
            self._journal.note(Ack(self._group, self._topic, one.message_id, one.attempt, began_s, ended_s, outcome))
