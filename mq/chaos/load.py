"""Clients under chaos: they send, receive and acknowledge all the time, and note what they saw.

What they do comes from a seed; when, from the cluster. Bodies are told apart by a checksum in the history.
"""

import asyncio
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from mq.chaos.history import DONE, REFUSED, UNKNOWN, Ack, Delivery, Journal, Receive, Send, Stored
from mq.client.encoding import MessageEncoder
from mq.client.errors import UnreachableError
from mq.client.views import BatchResult
from mq.core.errors import MqError, RefusedError
from mq.rpc.batch_client import BatchFetcher, BatchProducer
from mq.rpc.message_calls import Delivered, MessageCalls, read_message

__all__ = ["Load", "Size", "Topics"]

_GIVE_UP_S = 20.0
_BATCH_S_MAX = 60.0
_POLL_S = 0.4
_BACKLOG_MAX = 1000
_INVISIBLE_S = 10.0
_AGAIN_S = 0.02
_DRAIN_S_MAX = 300.0


class Topics(NamedTuple):
    """Names of this run. `one` and `ordered` are read by the groups `first` and `second`, and `turn`, which is FIFO."""

    plain: str
    ordered: str
    bulk: str
    first: str
    second: str
    turn: str

    @classmethod
    def of(cls, run: str) -> "Topics":
        """Of a run that is called so."""
        return cls(*(f"chaos-{run}-{name}" for name in cls._fields))

    @property
    def reads(self) -> dict[str, list[str]]:
        """Which group reads which topics."""
        return {self.first: [self.plain, self.bulk], self.second: [self.plain], self.turn: [self.ordered]}

    @property
    def queues(self) -> dict[str, int]:
        """How many queues each topic has."""
        return {self.plain: 4, self.ordered: 4, self.bulk: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many clients, and how long each rests at most between two messages or batches."""

    producers: int = 4
    ordered_producers: int = 2
    consumers: int = 2
    rest_s: float = 0.03
    batch_rest_s: float = 0.4


def _body(rng: Random, message_id: str) -> bytes:
    return message_id.encode() + b" " + rng.randbytes(rng.randrange(0, 300))


class Load:
    """stopping: producers end when it is set, and consumers acknowledge everything from then on.

    refusals: of calls that nothing is wrong with.
    """

    def __init__(self, endpoints: str, topics: Topics, journal: Journal, seed: int, size: Size | None = None) -> None:
        self._endpoints, self.topics, self._journal, self._seed = endpoints, topics, journal, seed
        self._size = size or Size()
        self.stopping = asyncio.Event()
        self._is_over = False
        self.acknowledged = 0
        self.refusals: set[str] = set()
        self._backlog = 0  # messages in batches that were stored, and not acknowledged by a consumer
        self._late: set[asyncio.Task[None]] = set()

    async def produce(self) -> None:
        """All producers, until `stopping`."""
        plain = [self._produce(f"p{number}", self.topics.plain, 0) for number in range(self._size.producers)]
        ordered = [self._produce(f"o{number}", self.topics.ordered, 3) for number in range(self._size.ordered_producers)]
        await asyncio.gather(self._produce_batches("b"), *plain, *ordered)

    async def consume(self) -> None:
        """All consumers, until `drain` is done."""
        await asyncio.gather(*(
            self._consume(f"{group} {topic} {number}", group, topic)
            for group, topics in self.topics.reads.items() for topic in topics
            for number in range(self._size.consumers * (2 if topic == self.topics.bulk else 1))
        ))  # fmt: skip
        await asyncio.gather(*self._late)

    async def drain(self) -> list[str]:
        """Until nothing is left for any group; returns those for which something is, after a long time."""
        left = list(self.topics.reads)
        end_s = time.monotonic() + _DRAIN_S_MAX
        async with MessageCalls(self._endpoints) as calls:
            while left and time.monotonic() < end_s:
                try:
                    left = [group for group in left if not await self._is_done(calls, group)]
                except MqError:
                    await calls.use_next()
                await asyncio.sleep(0.1)
        self._is_over = True
        return left

    async def _is_done(self, calls: MessageCalls, group: str) -> bool:
        lags = await calls.lag(group)
        return all(lags.get(topic) == 0 for topic in self.topics.reads[group])

    async def read_all(self) -> None:
        """Note what the queues hold."""
        async with BatchFetcher(self._endpoints) as fetcher:
            for topic, queues in self.topics.queues.items():
                for queue_id in range(queues):
                    async for batch in fetcher.fetch(topic, queue_id, offset=0):
                        for place, raw in enumerate(batch.messages):
                            message_id, body = read_message(raw)
                            one = Stored(topic, queue_id, batch.base_offset + place, message_id, zlib.crc32(body))
                            self._journal.note(one)

    # --- producers

    async def _produce(self, name: str, topic: str, message_groups: int) -> None:
        rng, number = Random(f"{self._seed} {name}"), 0  # noqa: S311 - repeatable is what it has to be
        async with MessageCalls(self._endpoints, first=rng.randrange(16)) as calls:
            while not self.stopping.is_set():
                number += 1
                message_id = f"{name}-{number}"
                group = f"{name}-g{rng.randrange(message_groups)}" if message_groups else ""
                self._journal.note(await self._send(rng, calls, topic, message_id, group))
                await asyncio.sleep(rng.uniform(0, self._size.rest_s))

    async def _send(self, rng: Random, calls: MessageCalls, topic: str, message_id: str, group: str) -> Send:
        body, began_s, is_unsure, error = _body(rng, message_id), time.monotonic(), False, ""

        def ended(outcome: str, offset: int | None = None) -> Send:
            self.acknowledged += outcome == DONE
            return Send(
                message_id, topic, zlib.crc32(body), began_s, time.monotonic(), outcome, is_unsure, group, offset, error=error,
            )  # fmt: skip

        while True:
            try:
                offset = await calls.send(topic, message_id, body, message_group=group)
            except MqError as failure:
                error = f"{type(failure).__name__}: {failure}"
                is_unsure = is_unsure or not failure.definite
                if not failure.definite and rng.random() < 0.3:
                    return ended(UNKNOWN)
                if isinstance(failure, RefusedError) or time.monotonic() > began_s + _GIVE_UP_S:
                    return ended(UNKNOWN if is_unsure else REFUSED)
                if not failure.definite or isinstance(failure, UnreachableError):
                    await calls.use_next()
                await asyncio.sleep(_AGAIN_S)
            else:
                return ended(DONE, offset)

    async def _produce_batches(self, name: str) -> None:
        """Our own client sends a batch again by itself, as long as nobody knows of it."""
        rng, number, under_way = Random(f"{self._seed} {name}"), 0, set[asyncio.Task[None]]()  # noqa: S311
        async with BatchProducer(self._endpoints, window_batches=8, timeout_s=_BATCH_S_MAX) as producer:
            while not self.stopping.is_set():
                if self._backlog > _BACKLOG_MAX:
                    await asyncio.sleep(_POLL_S)
                    continue
                number += 1
                ids = [f"{name}{number:07}-{place:02}" for place in range(rng.randrange(10, 100))]
                bodies = [_body(rng, message_id) for message_id in ids]
                began_s = time.monotonic()
                done = await producer.send(self.topics.bulk, MessageEncoder().encode_batch(ids, bodies, born_ms=0))
                task = asyncio.create_task(self._note_batch(done, ids, bodies, began_s))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                await asyncio.sleep(rng.uniform(0, self._size.batch_rest_s))
        await asyncio.gather(*under_way)

    async def _note_batch(self, done: "asyncio.Future[BatchResult]", ids: list[str], bodies: list[bytes], began_s: float) -> None:
        base, queue_id, outcome, error = None, None, DONE, ""
        try:
            result = await done
            base, queue_id = result.base_offset, result.queue_id
            self.acknowledged += len(ids)
            self._backlog += len(ids)
        except MqError as failure:
            error = f"{type(failure).__name__}: {failure}"
            outcome = REFUSED if isinstance(failure, RefusedError) else UNKNOWN
        ended_s = time.monotonic()
        for place, (message_id, body) in enumerate(zip(ids, bodies, strict=True)):
            offset = None if base is None else base + place
            self._journal.note(
                Send(message_id, self.topics.bulk, zlib.crc32(body), began_s, ended_s, outcome, True, "", offset, queue_id, error)  # noqa: FBT003
            )

    # --- consumers

    async def _consume(self, name: str, group: str, topic: str) -> None:
        rng = Random(f"{self._seed} {name}")  # noqa: S311
        async with MessageCalls(self._endpoints, first=rng.randrange(16)) as calls:
            while not self._is_over:
                began_s = time.monotonic()
                received = await calls.receive(topic, group, count=rng.randrange(1, 33), wait_s=_POLL_S, invisible_s=_INVISIBLE_S)
                messages, error = received
                if messages:
                    seen = tuple(Delivery(m.message_id, zlib.crc32(m.body), m.queue_id, m.offset, m.attempt) for m in messages)
                    self._journal.note(
                        Receive(group, topic, began_s, time.monotonic(), _INVISIBLE_S, error is None, seen)
                    )  # fmt: skip
                    await self._react(rng, calls, group, topic, messages)
                if error is not None:
                    if isinstance(error, RefusedError):
                        self.refusals.add(f"a receive of {group} was refused: {error}")
                    await calls.use_next()
                    await asyncio.sleep(_AGAIN_S)

    async def _react(self, rng: Random, calls: MessageCalls, group: str, topic: str, messages: Sequence[Delivered]) -> None:
        """Most acknowledge all at once, some nothing, some a part, some too late."""
        dice = 1.0 if self.stopping.is_set() else rng.random()
        if dice < 0.02:
            return
        if dice < 0.04:
            late = asyncio.create_task(self._ack_late(rng.randrange(16), group, topic, messages))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return
        if dice < 0.1:
            messages = messages[: rng.randrange(1, len(messages) + 1)]
        await self._ack(calls, group, topic, messages)

    async def _ack_late(self, first: int, group: str, topic: str, messages: Sequence[Delivered]) -> None:
        await asyncio.sleep(_INVISIBLE_S + 0.3)
        async with MessageCalls(self._endpoints, first=first) as calls:
            await self._ack(calls, group, topic, messages)

    async def _ack(self, calls: MessageCalls, group: str, topic: str, messages: Sequence[Delivered]) -> None:
        began_s = time.monotonic()
        try:
            outcomes = [DONE if is_done else REFUSED for is_done in await calls.ack(topic, group, messages)]
            self._backlog -= outcomes.count(DONE) if topic == self.topics.bulk else 0
        except MqError as failure:
            outcomes = [REFUSED if failure.definite else UNKNOWN] * len(messages)
            await calls.use_next()
        ended_s = time.monotonic()
        for one, outcome in zip(messages, outcomes, strict=True):
            self._journal.note(Ack(group, topic, one.message_id, one.attempt, began_s, ended_s, outcome))
