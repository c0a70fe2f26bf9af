"""Our own producer: it names a topic and nothing else, finds its queues, spreads messages over them, and repeats what failed."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from mq.client.choice import queue_choice
from mq.client.compression import compressed
from mq.client.encoding import MessageEncoder
from mq.client.errors import check_code
from mq.client.producing import Delivery, Producing
from mq.client.route_cache import KnownQueue
from mq.client.views import BatchResult, SentMessage
from mq.core.errors import IllegalArgumentError, MqError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.batching import BatchKey, BatchStreams, Frame, Lingering, Outgoing, columns_of, frame_of, plain_properties
from mq.rpc.calling import new_client_id
from mq.rpc.message_client import new_message_ids
from mq.rpc.routing import Routing, now_ms

__all__ = ["AsyncProducer"]

T = TypeVar("T")


class AsyncProducer:
    """endpoints: registry nodes or brokers, HOST:PORT,... Use `async with`; many sends may be under way at once.

    choice: which queue a message goes to, by the name of a strategy in `mq.client.choice`. attempts_max: for one message.
    timeout_s: of one attempt. route_every_ms: how often routes are asked for anew. linger_ms: so long a message waits for others,
    with which it leaves in one batch of up to about batch_bytes; 0: each leaves by itself, at once. compress_over_bytes: bodies
    of so many bytes and more are sent compressed; None: none is.
    """

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        endpoints: str,
        *,
        choice: str = "round_robin",
        attempts_max: int = 3,
        timeout_s: float = 3.0,
        route_every_ms: int = 30_000,
        linger_ms: int = 0,
        batch_bytes: int = 256 << 10,
        compress_over_bytes: int | None = None,
    ) -> None:
        client_id = new_client_id()
        self._routing = Routing(endpoints, client_id, every_ms=route_every_ms, timeout_s=timeout_s)
        self._core = Producing(queue_choice(choice, random.randrange), attempts_max)
        self._ids = new_message_ids()
        self._over_bytes = compress_over_bytes
        self._streams = BatchStreams(client_id, timeout_s)
        self._lingering = Lingering(linger_ms, batch_bytes, self._send_frame, self._send_alone)
        self._lingers = linger_ms > 0

    async def __aenter__(self) -> "AsyncProducer":
        await self._routing.__aenter__()
        return self

    async def __aexit__(self, *ended: object) -> None:
        """What waits is sent first, and answered."""
        await self._lingering.flush()
        await self._streams.__aexit__()
        await self._routing.__aexit__(*ended)

    async def send(  # noqa: PLR0913 - by keyword, each a field of the message
        self,
        topic: str,
        body: bytes,
        *,
        tag: str = "",
        keys: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        message_group: str = "",
        delivery_ms: int | None = None,
        routing_key: str = "",
    ) -> SentMessage:
        """Store one message. message_group makes it a FIFO message, delivery_ms (Unix time) a delayed one.

        Those of one message group go to one broker group, one after the other: wait for the answer, or let them linger.
        routing_key: messages of one key go to one queue, with the choice `consistent_hash`.

        Raises: MqError. One that is *definite* says that the message is not stored; any other leaves that open.
        """
        packed, is_gzip = compressed(body, self._over_bytes)
        message = Outgoing(self._ids.next(), packed, tag, tuple(keys), plain_properties(properties), is_gzip)
        key = BatchKey(topic, message_group, routing_key)
        if self._lingers and delivery_ms is None:
            return await self._lingering.send(key, message)
        return await self._send_alone(key, message, delivery_ms)

    async def send_batch(
        self,
        topic: str,
        bodies: Sequence[bytes],
        *,
        tag: str = "",
        properties: Mapping[str, str] | None = None,
        message_group: str = "",
        routing_key: str = "",
    ) -> BatchResult:
        """Store many messages, that share all but their bodies, in one queue: all or none. The fastest way.

        Raises: IllegalArgumentError for none, too many or too much for one batch; else as `send`.
        """
        if not bodies:
            raise IllegalArgumentError("bodies: there is none")
        key, ids, more = BatchKey(topic, message_group, routing_key), self._ids.take(len(bodies)), plain_properties(properties)
        if self._over_bytes is None:
            return await self._send_frame(key, columns_of(key, Outgoing("", b"", tag, (), more), ids, bodies))
        packed = [compressed(body, self._over_bytes) for body in bodies]
        messages = [Outgoing(one, body, tag, (), more, gz) for one, (body, gz) in zip(ids, packed, strict=True)]
        return await self._send_frame(key, frame_of(key, messages))

    async def _send_frame(self, key: BatchKey, frame: Frame) -> BatchResult:
        return await self._deliver(key, lambda queue: self._streams.send(queue.addresses, key.topic, frame))

    async def _send_alone(self, key: BatchKey, message: Outgoing, delivery_ms: int | None = None) -> SentMessage:
        if delivery_ms is None:
            encoder = message.encoder(key)
        else:
            encoder = MessageEncoder(
                kind=MessageKind.DELAY, tag=message.tag, properties=dict(message.properties), delivery_ms=delivery_ms,
                message_group=key.message_group, is_gzip=message.is_gzip,
            )  # fmt: skip
        born_ms = time.time_ns() // 1_000_000
        encoded = encoder.encode(message.message_id, message.body, born_ms=born_ms, keys=message.keys)
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoded)])
        request.messages[0].topic.name = key.topic

        async def attempt(queue: KnownQueue) -> SentMessage:
            response: Any = await self._routing.call(queue.addresses, "SendMessage", request)
            check_code(response.status.code, response.status.message)
            return SentMessage(response.entries[0].message_id, response.entries[0].offset)

        return await self._deliver(key, attempt)

    async def _deliver(self, key: BatchKey, attempt: Callable[[KnownQueue], Awaitable[T]]) -> T:
        """Attempts, as `mq.client.producing` has it. Raises: MqError."""
        delivery = Delivery(key=key.routing_key, message_group=key.message_group)
        while True:
            queues = {queue.name: queue for queue in await self._routing.queues(key.topic) if queue.is_writable}
            chosen = self._core.next_queue(delivery, tuple(queues), now_ms())
            try:
                stored = await attempt(queues[chosen])
            except MqError as error:
                told = self._core.failed(delivery, error, now_ms())
                if told is not None:
                    raise told from None
            except asyncio.CancelledError:
                self._core.done(delivery, now_ms())
                raise
            else:
                self._core.done(delivery, now_ms())
                return stored
            await asyncio.sleep(self._core.pause_ms(delivery, tuple(queues)) / 1000)
