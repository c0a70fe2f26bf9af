"""Our own producer: it names a topic and nothing else, finds its queues, spreads messages over them, and repeats what failed."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mq.client.choice import queue_choice
from mq.client.encoding import MessageEncoder
from mq.client.errors import check_code
from mq.client.producing import Delivery, Producing
from mq.client.views import SentMessage
from mq.core.errors import MqError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import new_client_id
from mq.rpc.message_client import new_message_ids
from mq.rpc.routing import Routing, now_ms

__all__ = ["AsyncProducer"]


class AsyncProducer:
    """endpoints: registry nodes or brokers, HOST:PORT,... Use `async with`; many sends may be under way at once.

    choice: which queue a message goes to, by the name of a strategy in `mq.client.choice`. attempts_max: for one message.
    timeout_s: of one attempt. route_every_ms: how often routes are asked for anew.
    """

    def __init__(
        self,
        endpoints: str,
        *,
        choice: str = "round_robin",
        attempts_max: int = 3,
        timeout_s: float = 3.0,
        route_every_ms: int = 30_000,
    ) -> None:
        self._routing = Routing(endpoints, new_client_id(), every_ms=route_every_ms, timeout_s=timeout_s)
        self._core = Producing(queue_choice(choice, random.randrange), attempts_max)
        self._ids = new_message_ids()

    async def __aenter__(self) -> "AsyncProducer":
        await self._routing.__aenter__()
        return self

    async def __aexit__(self, *ended: object) -> None:
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

        routing_key: messages of one key go to one queue, with the choice `consistent_hash`; empty: the message group is the key.

        Raises: MqError. One that is *definite* says that the message is not stored; any other leaves that open.
        """
        kind = MessageKind.FIFO if message_group else MessageKind.NORMAL if delivery_ms is None else MessageKind.DELAY
        encoder = MessageEncoder(kind=kind, tag=tag, properties=properties, message_group=message_group, delivery_ms=delivery_ms)
        encoded = encoder.encode(self._ids.next(), body, born_ms=time.time_ns() // 1_000_000, keys=keys)
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoded)])
        request.messages[0].topic.name = topic
        delivery = Delivery(key=routing_key, message_group=message_group)
        while True:
            queues = {queue.name: queue for queue in await self._routing.queues(topic) if queue.is_writable}
            chosen = self._core.next_queue(delivery, tuple(queues), now_ms())
            try:
                response: Any = await self._routing.call(queues[chosen].addresses, "SendMessage", request)
                check_code(response.status.code, response.status.message)
            except MqError as error:
                told = self._core.failed(delivery, error, now_ms())
                if told is not None:
                    raise told from None
            except asyncio.CancelledError:
                self._core.done(delivery, now_ms())
                raise
            else:
                self._core.done(delivery, now_ms())
                return SentMessage(response.entries[0].message_id, response.entries[0].offset)
            await asyncio.sleep(self._core.pause_ms(delivery, tuple(queues)) / 1000)
