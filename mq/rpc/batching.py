"""The batches of our own producer: messages that wait for each other, and a stream of frames to each broker group."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from mq.client.batch import Columns
from mq.client.encoding import MessageEncoder
from mq.client.gathering import Gathering
from mq.client.views import BatchResult, SentMessage
from mq.core.errors import MqError, RefusedError
from mq.core.message import MessageKind
from mq.rpc.batch_client import BatchProducer
from mq.rpc.routing import now_ms

__all__ = ["BatchKey", "BatchStreams", "Frame", "Lingering", "Outgoing", "columns_of", "frame_of", "plain_properties"]


class BatchKey(NamedTuple):
    """What messages must share to be in one batch. routing_key: see `AsyncProducer.send`."""

    topic: str
    message_group: str
    routing_key: str


class Outgoing(NamedTuple):
    """A message to be sent. body: as it is sent, compressed or not."""

    message_id: str
    body: bytes
    tag: str = ""
    keys: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    is_gzip: bool = False

    def encoder(self, key: BatchKey) -> MessageEncoder:
        """Of this message, and of all that are like it."""
        return _encoder(self.tag, self.properties, key.message_group, self.is_gzip)


@lru_cache(maxsize=256)
def _encoder(tag: str, properties: tuple[tuple[str, str], ...], message_group: str, is_gzip: bool) -> MessageEncoder:  # noqa: FBT001 - a key of a cache
    kind = MessageKind.FIFO if message_group else MessageKind.NORMAL
    return MessageEncoder(kind=kind, tag=tag, properties=dict(properties), message_group=message_group, is_gzip=is_gzip)


Frame: TypeAlias = Columns | Sequence[bytes]
SendFrame: TypeAlias = Callable[[BatchKey, Frame], Awaitable[BatchResult]]
SendOne: TypeAlias = Callable[[BatchKey, Outgoing], Awaitable[SentMessage]]


def columns_of(key: BatchKey, like: Outgoing, ids: Sequence[str], bodies: Sequence[bytes]) -> Columns:
    """Messages, made now, that are all like one but for ids and bodies."""
    return Columns(like.encoder(key).encode_shared(born_ms=time.time_ns() // 1_000_000, keys=like.keys), ids, bodies)


def frame_of(key: BatchKey, messages: Sequence[Outgoing]) -> Frame:
    """In columns, where the messages differ in ids and bodies alone, else each whole; all made now."""
    first = messages[0]
    if all(one[2:] == first[2:] for one in messages):
        return columns_of(key, first, [one.message_id for one in messages], [one.body for one in messages])
    born_ms = time.time_ns() // 1_000_000
    return [one.encoder(key).encode(one.message_id, one.body, born_ms=born_ms, keys=one.keys) for one in messages]


class BatchStreams:
    """A stream of frames to each broker group, opened when it is needed. timeout_s: for one frame. Use `async with`."""

    def __init__(self, client_id: str, timeout_s: float) -> None:
        self._client_id, self._timeout_s = client_id, timeout_s
        self._streams: dict[tuple[str, ...], BatchProducer] = {}
        self._stack, self._opening = AsyncExitStack(), asyncio.Lock()

    async def __aenter__(self) -> "BatchStreams":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def send(self, addresses: tuple[str, ...], topic: str, frame: Frame) -> BatchResult:
        """Until it is stored. Raises: as `BatchProducer.send`."""
        async with self._opening:
            if addresses not in self._streams:
                stream = BatchProducer(",".join(addresses), timeout_s=self._timeout_s, client_id=self._client_id)
                self._streams[addresses] = await self._stack.enter_async_context(stream)
        return await (await self._streams[addresses].send(topic, frame))


_Waiter: TypeAlias = tuple[Outgoing, "asyncio.Future[SentMessage]"]


class Lingering:
    """Messages wait for each other. send_frame: sends a batch. send_one: sends one that cannot be told by a batch's refusal.

    Of one message group, a batch is sent when the one before is answered: the order is what a message group is for.
    """

    def __init__(self, linger_ms: int, bytes_max: int, send_frame: SendFrame, send_one: SendOne) -> None:
        self._gathering: Gathering[BatchKey, _Waiter] = Gathering(linger_ms, bytes_max)
        self._send_frame, self._send_one = send_frame, send_one
        self._running: set[asyncio.Task[None]] = set()
        self._last: dict[BatchKey, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, key: BatchKey, message: Outgoing) -> SentMessage:
        """Come back when its batch is stored. Raises: MqError."""
        done: asyncio.Future[SentMessage] = asyncio.get_running_loop().create_future()
        for batch in self._gathering.add(key, (message, done), len(message.body), now_ms()):
            self._begin(key, batch)
        self._set_timer()
        return await done

    async def flush(self) -> None:
        """Send what waits, and come back when all is answered."""
        for key, batch in self._gathering.all():
            self._begin(key, batch)
        while self._running:
            await asyncio.wait(self._running)

    def _set_timer(self) -> None:
        due_ms = self._gathering.next_due_ms()
        if self._timer is None and due_ms is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0, due_ms - now_ms()) / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        for key, batch in self._gathering.due(now_ms()):
            self._begin(key, batch)
        self._set_timer()

    def _begin(self, key: BatchKey, batch: list[_Waiter]) -> None:
        before = self._last.get(key) if key.message_group else None
        task = asyncio.create_task(self._send(key, batch, before))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if key.message_group:
            self._last[key] = task
            task.add_done_callback(lambda ended: self._last.pop(key) if self._last.get(key) is ended else None)

    async def _send(self, key: BatchKey, batch: list[_Waiter], before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        batch = [(message, done) for message, done in batch if not done.done()]  # nobody waits for it any more
        if not batch:
            return
        messages = [message for message, _ in batch]
        try:
            result = await self._send_frame(key, frame_of(key, messages))
        except RefusedError as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for message, done in batch:  # only the one that is wrong is to be told so
                await self._send_by_itself(key, message, done)
        except MqError as error:
            _fail(batch, error)
        else:
            is_plain = result.count == len(batch)
            for number, (message, done) in enumerate(batch):
                if not done.done():
                    done.set_result(SentMessage(message.message_id, result.base_offset + number if is_plain else -1))

    async def _send_by_itself(self, key: BatchKey, message: Outgoing, done: "asyncio.Future[SentMessage]") -> None:
        try:
            sent = await self._send_one(key, message)
        except MqError as error:
            _fail([(message, done)], error)
        else:
            if not done.done():
                done.set_result(sent)


def _fail(batch: Sequence[_Waiter], error: MqError) -> None:
    for _, done in batch:
        if not done.done():
            done.set_exception(error)


def plain_properties(properties: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """As `Outgoing` has them."""
    return tuple((properties or {}).items())
