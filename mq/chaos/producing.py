"""Who sends: single messages, each attempt in sight, and batches, which our own client sends again by itself.

Some are sent once more though they were acknowledged: a broker knows them by their ids, and stores them once.
"""

import asyncio
import time
import zlib
from random import Random

from mq.chaos.calls import Calls
from mq.chaos.calm import GIVE_UP_S
from mq.chaos.history import DONE, REFUSED, UNKNOWN, Journal, Send
from mq.chaos.setting import AGAIN_S, POLL_S, Progress
from mq.client.encoding import MessageEncoder
from mq.client.errors import UnreachableError
from mq.client.views import BatchResult
from mq.core.errors import MqError, RefusedError
from mq.rpc.batch_client import BatchProducer

__all__ = ["BatchSender", "Sender"]

_BATCH_S_MAX = 60.0
_BACKLOG_MAX = 1000
_REPEAT_EVERY = 20
_REPEAT_BATCH_EVERY = 10
_NOTE_EVERY_S = 0.1
_ELSEWHERE_AFTER = 25
"""Attempts that one node refuses, before another is asked."""


def _body(rng: Random, message_id: str) -> bytes:
    return message_id.encode() + b" " + rng.randbytes(rng.randrange(0, 300))


class _Attempts:
    """Of one message, until it is stored or given up. offset: as answered last; None before the first answer."""

    def __init__(self) -> None:
        self.began_s = time.monotonic()
        self.offset: int | None = None
        self._answers: list[tuple[int | None, int]] = []
        self.is_unsure = False
        self.count = 0
        self.error = ""
        self._failed: list[tuple[float, float]] = []

    def fail(self, began_s: float, error: MqError) -> None:
        """One came to nothing. Of many in a row one in a tenth of a second is noted."""
        self.error = f"{type(error).__name__}: {error}"
        self.is_unsure = self.is_unsure or not error.definite
        if not self._failed or began_s > self._failed[-1][0] + _NOTE_EVERY_S:
            self._failed.append((round(began_s, 6), round(time.monotonic(), 6)))

    def stored(self, offset: int) -> None:
        """An answer came. The broker knows the message by its id, so that all answers have to name the same place."""
        if self.offset is not None:
            self._answers.append((None, self.offset))
        self.offset = offset

    def end(self, message_id: str, topic: str, body: bytes, group: str, outcome: str) -> Send:
        """As it is noted; what was acknowledged once stays so."""
        return Send(
            message_id, topic, zlib.crc32(body), self.began_s, time.monotonic(), outcome if self.offset is None else DONE,
            self.is_unsure, group, self.offset, error=self.error, attempts=self.count, failed=tuple(self._failed),
            answers=tuple(self._answers),
        )  # fmt: skip


class Sender:
    """Sends single messages, one after the other. message_groups: how many; 0 for messages without."""

    def __init__(self, endpoints: str, name: str, topic: str, journal: Journal, progress: Progress) -> None:
        self._endpoints, self._name, self._topic, self._journal, self._progress = endpoints, name, topic, journal, progress

    async def run(self, rng: Random, message_groups: int, rest_s: float) -> None:
        """Until all stop."""
        number = 0
        async with Calls(self._endpoints, first=rng.randrange(16)) as calls:
            while not self._progress.stopping.is_set():
                number += 1
                group = f"{self._name}-g{rng.randrange(message_groups)}" if message_groups else ""
                sent = await self._send(rng, calls, number, group)
                self._progress.acknowledged += sent.outcome == DONE
                self._journal.note(sent)
                await asyncio.sleep(rng.uniform(0, rest_s))

    async def _send(self, rng: Random, calls: Calls, number: int, group: str) -> Send:
        message_id, topic, attempts = f"{self._name}-{number}", self._topic, _Attempts()
        body, wanted = _body(rng, message_id), 2 if number % _REPEAT_EVERY == 2 else 1
        while True:
            attempts.count += 1
            began_s = time.monotonic()
            try:
                attempts.stored(await calls.send(topic, message_id, body, message_group=group))
                wanted -= 1
            except MqError as failure:
                attempts.fail(began_s, failure)
                if not failure.definite and rng.random() < 0.3:
                    return attempts.end(message_id, topic, body, group, UNKNOWN)
                if isinstance(failure, RefusedError) or time.monotonic() > attempts.began_s + GIVE_UP_S:
                    return attempts.end(message_id, topic, body, group, UNKNOWN if attempts.is_unsure else REFUSED)
                if not failure.definite or isinstance(failure, UnreachableError) or attempts.count % _ELSEWHERE_AFTER == 0:
                    await calls.use_next()
                await asyncio.sleep(AGAIN_S)
            if wanted == 0:
                return attempts.end(message_id, topic, body, group, DONE)


class BatchSender:
    """Sends batches, as fast as consumers read them."""

    def __init__(self, endpoints: str, name: str, topic: str, journal: Journal, progress: Progress) -> None:
        self._endpoints, self._name, self._topic, self._journal, self._progress = endpoints, name, topic, journal, progress

    async def run(self, rng: Random, rest_s: float) -> None:
        """Until all stop."""
        number, under_way = 0, set[asyncio.Task[None]]()
        async with BatchProducer(self._endpoints, window_batches=8, timeout_s=_BATCH_S_MAX) as producer:
            while not self._progress.stopping.is_set():
                if self._progress.backlog > _BACKLOG_MAX:
                    await asyncio.sleep(POLL_S)
                    continue
                number += 1
                ids = [f"{self._name}{number:07}-{place:02}" for place in range(rng.randrange(10, 100))]
                bodies = [_body(rng, message_id) for message_id in ids]
                began_s = time.monotonic()
                done = await producer.send(self._topic, MessageEncoder().encode_batch(ids, bodies, born_ms=0))
                again = producer if number % _REPEAT_BATCH_EVERY == 2 else None
                task = asyncio.create_task(self._note(done, ids, bodies, began_s, again))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                await asyncio.sleep(rng.uniform(0, rest_s))
            await asyncio.gather(*under_way)

    async def _note(
        self,
        done: "asyncio.Future[BatchResult]",
        ids: list[str],
        bodies: list[bytes],
        began_s: float,
        again: BatchProducer | None,
    ) -> None:
        result, first, outcome, error, attempts = None, None, DONE, "", 1
        try:
            result = await done
            if again is not None:
                attempts, first = 2, result
                repeated = await again.send(self._topic, MessageEncoder().encode_batch(ids, bodies, born_ms=0))
                result = await repeated
        except MqError as failure:
            error = f"{type(failure).__name__}: {failure}"
            outcome = DONE if result is not None else REFUSED if isinstance(failure, RefusedError) else UNKNOWN
        if result is not None:
            self._progress.acknowledged += len(ids)
            self._progress.backlog += len(ids)
        ended_s = time.monotonic()
        for place, (message_id, body) in enumerate(zip(ids, bodies, strict=True)):
            offset = None if result is None else result.base_offset + place
            answers = () if first is None else ((first.queue_id, first.base_offset + place),)
            # Whether the producer had to send it again, it does not say.
            self._journal.note(Send(
                message_id, self._topic, zlib.crc32(body), began_s, ended_s, outcome, True, "", offset,  # noqa: FBT003
                None if result is None else result.queue_id, error, attempts, answers=answers,
            ))  # fmt: skip
