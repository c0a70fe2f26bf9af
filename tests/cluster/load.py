"""Clients that send, receive, acknowledge and change invisible times all at once, and note what they saw.

They go on while the broker is killed and comes back: a call without an answer is noted as unknown. Every choice comes from
a seed.
"""

import asyncio
import random
import time
import zlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from mq.client.encoding import MessageEncoder
from mq.client.errors import NoAnswerError, UnreachableError
from mq.core.errors import Code, NotServingError, RefusedError
from mq.proto import broker_v1_pb2 as broker_pb
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.batch_client import BatchFetcher, BatchProducer
from mq.rpc.calling import client_headers, error_of_rpc
from mq.rpc.methods import server_stream, unary
from tests.cluster.history import Ack, Change, Delivery, History, Outcome, Send, Stored

__all__ = ["Load", "channel_to", "read_queues"]

_INVISIBLE_S = 10.0
_POLL_S = 0.2
_CALL_S = 5.0


def channel_to(endpoint: str) -> grpc.aio.Channel:
    """A connection that comes back at once after the broker did."""
    options = [
        ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100),
        ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0),
    ]  # fmt: skip
    return grpc.aio.insecure_channel(endpoint, options=options)


def _span(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


@dataclass
class _Held:
    """A delivery, and the handle that is good for it."""

    delivery: Delivery
    handle: str


class Load:
    """Callers against one topic and group. `history` grows while `run` goes on.

    senders send one message after the other; one more sends batches; consumers poll. Ends when `stop` is set and
    everything is drained.
    """

    def __init__(self, endpoint: str, topic: str, group: str, *, seed: int, senders: int = 4, consumers: int = 3) -> None:
        self.history = History()
        self.stop = asyncio.Event()
        self.is_drained = False
        self.refusals: list[str] = []
        self._endpoint, self._topic, self._group = endpoint, topic, group
        self._seed, self._senders, self._consumers = seed, senders, consumers
        self._channel = channel_to(endpoint)

    async def run(self) -> None:
        """Until stopped and drained."""
        sending: list[Coroutine[Any, Any, None]] = [self._send(f"caller-{number}") for number in range(self._senders)]
        consuming = [asyncio.create_task(self._consume(number)) for number in range(self._consumers)]
        try:
            await asyncio.gather(self._send_batches(), *sending)
            await asyncio.gather(*consuming)
        finally:
            for task in consuming:
                task.cancel()
            await self._channel.close()

    async def _call(self, name: str, request: Any, client: str) -> Any:
        """The response, or None when the request may have arrived and there was no answer."""
        while True:
            try:
                return await unary(self._channel, name)(request, timeout=_CALL_S, metadata=client_headers(client))
            except grpc.aio.AioRpcError as failure:
                if not _is_unreachable(failure):
                    return None
            await asyncio.sleep(0.01)

    def _body(self, rng: random.Random, message_id: str) -> bytes:
        noise = rng.randbytes(rng.randrange(0, 600))
        return b"%s %08x " % (message_id.encode(), zlib.crc32(noise)) + noise

    # --- producers

    async def _send(self, caller: str) -> None:
        rng, number = random.Random(f"{self._seed} {caller}"), 0
        while not self.stop.is_set():
            number += 1
            message_id = f"{caller}-{number}"
            body = self._body(rng, message_id)
            self.history.sends.append(await self._send_one(rng, caller, number, message_id, body))
            await asyncio.sleep(rng.uniform(0, 0.01))

    async def _send_one(self, rng: random.Random, caller: str, number: int, message_id: str, body: bytes) -> Send:
        encoded = MessageEncoder().encode(message_id, body, born_ms=0)
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoded)])
        request.messages[0].topic.name = self._topic
        while True:
            response = await self._call("SendMessage", request, caller)
            if response is None:
                if rng.random() < 0.3:
                    return Send(message_id, body, caller, number, Outcome.UNKNOWN)
                await asyncio.sleep(0.02)
                continue
            if response.status.code == Code.OK:
                return Send(message_id, body, caller, number, Outcome.DONE, response.entries[0].offset)
            if response.status.code not in (Code.PROXY_TIMEOUT, Code.MASTER_PERSISTENCE_TIMEOUT):
                self.refusals.append(f"send: {response.status.code} {response.status.message}")
                return Send(message_id, body, caller, number, Outcome.REFUSED)

    async def _send_batches(self) -> None:
        """Our own client repeats what has no answer by itself."""
        rng, number, ends = random.Random(f"{self._seed} batches"), 0, set()
        async with BatchProducer(self._endpoint, window_batches=8, timeout_s=60.0) as producer:
            while not self.stop.is_set():
                ids = [f"batch-{number}-{i:02}" for i in range(rng.randrange(1, 30))]
                bodies = [self._body(rng, message_id) for message_id in ids]
                messages = MessageEncoder().encode_batch(ids, bodies, born_ms=0)
                end = asyncio.create_task(self._note_batch(await producer.send(self._topic, messages), number, ids, bodies))
                ends.add(end)
                number += 1
                await asyncio.sleep(rng.uniform(0, 0.05))
        await asyncio.gather(*ends)

    async def _note_batch(self, done: "asyncio.Future[Any]", number: int, ids: list[str], bodies: list[bytes]) -> None:
        try:
            result = await done
        except (NoAnswerError, NotServingError, RefusedError) as error:
            outcome, base = (Outcome.UNKNOWN if isinstance(error, NoAnswerError) else Outcome.REFUSED), None
            self.refusals.append(f"batch: {error}")
        else:
            outcome, base = Outcome.DONE, result.base_offset
        for place, (message_id, body) in enumerate(zip(ids, bodies, strict=True)):
            offset = None if base is None else base + place
            # Each batch counts as a caller: several of them are under way at once.
            self.history.sends.append(Send(message_id, body, f"batch-{number}", place, outcome, offset))

    # --- consumers

    async def _consume(self, number: int) -> None:
        rng, name = random.Random(f"{self._seed} consumer {number}"), f"consumer-{number}"
        while not self.is_drained:
            held = await self._receive(rng, name)
            while held:
                one = held.pop()
                dice = rng.random()
                if self.stop.is_set() or dice < 0.7:
                    # What changed hands a moment ago is acknowledged together, as clients do.
                    await self._ack([one, *(held.pop() for _ in range(min(len(held), rng.randrange(8))))], name)
                elif dice < 0.9:
                    await self._change(one, name, rng.choice([0.0, 0.3, 1.0, 2.0, 12.0]), and_again=rng.random() < 0.3)
            if self.stop.is_set() and number == 0:
                self.is_drained = await self._is_all_done()

    async def _receive(self, rng: random.Random, name: str) -> list[_Held]:
        request = pb.ReceiveMessageRequest(batch_size=rng.randrange(1, 33), invisible_duration=_span(_INVISIBLE_S))
        request.group.name, request.message_queue.topic.name, request.message_queue.id = self._group, self._topic, -1
        request.long_polling_timeout.CopyFrom(_span(_POLL_S))
        request.filter_expression.type, request.filter_expression.expression = pb.TAG, "*"
        invoked_s, messages, is_whole = time.monotonic(), [], True
        try:
            async for part in server_stream(self._channel, "ReceiveMessage")(
                request, timeout=_CALL_S, metadata=client_headers(name)
            ):
                if part.HasField("message"):
                    messages.append(part.message)
                elif part.HasField("status") and part.status.code not in (Code.OK, Code.MESSAGE_NOT_FOUND, Code.PROXY_TIMEOUT):
                    self.refusals.append(f"receive: {part.status.code} {part.status.message}")
        except grpc.aio.AioRpcError as failure:
            is_whole = False
            if not _is_unreachable(failure):
                self.history.lost_receives_messages += request.batch_size - len(messages)
            await asyncio.sleep(0.01)
        completed_s, held = time.monotonic(), []
        for message in messages:
            system = message.system_properties
            delivery = Delivery(
                system.message_id, message.body, system.queue_id, system.queue_offset, system.delivery_attempt,
                invoked_s, completed_s, _INVISIBLE_S if is_whole else None,
            )  # fmt: skip
            self.history.deliveries.append(delivery)
            held.append(_Held(delivery, system.receipt_handle))
        return held

    async def _ack(self, held: list[_Held], name: str) -> None:
        request = pb.AckMessageRequest()
        request.group.name, request.topic.name = self._group, self._topic
        for one in held:
            request.entries.add(message_id=one.delivery.message_id, receipt_handle=one.handle)
        invoked_s = time.monotonic()
        response = await self._call("AckMessage", request, name)
        completed_s = time.monotonic()
        codes = [entry.status.code for entry in response.entries] if response is not None and response.entries else []
        for place, one in enumerate(held):
            outcome = _outcome(codes[place] if codes else None)
            self.history.acks.append(Ack(one.delivery.message_id, one.delivery.attempt, invoked_s, completed_s, outcome))

    async def _change(self, one: _Held, name: str, seconds: float, *, and_again: bool) -> None:
        request = pb.ChangeInvisibleDurationRequest(receipt_handle=one.handle, invisible_duration=_span(seconds))
        request.group.name, request.topic.name, request.message_id = self._group, self._topic, one.delivery.message_id
        invoked_s = time.monotonic()
        response = await self._call("ChangeInvisibleDuration", request, name)
        outcome = _outcome(None if response is None else response.status.code)
        change = Change(one.delivery.message_id, one.delivery.attempt, invoked_s, time.monotonic(), seconds, outcome)
        self.history.changes.append(change)
        if outcome is Outcome.DONE and and_again:
            one.handle = response.receipt_handle
            await self._change(one, name, 1.5, and_again=False)

    async def _is_all_done(self) -> bool:
        """Whether the group is done with every message, as the broker says."""
        found = await self._call("DescribeGroup", broker_pb.DescribeGroupRequest(name=self._group), "watcher")
        return found is not None and found.code == Code.OK and sum(row.lag for row in found.queues) == 0


def _is_unreachable(failure: grpc.aio.AioRpcError) -> bool:
    """Whether there was no connection, so that the request surely never arrived."""
    return isinstance(error_of_rpc(failure, "", None), UnreachableError)


def _outcome(code: int | None) -> Outcome:
    if code is None or code in (Code.PROXY_TIMEOUT, Code.MASTER_PERSISTENCE_TIMEOUT):
        return Outcome.UNKNOWN
    return Outcome.DONE if code == Code.OK else Outcome.REFUSED


async def read_queues(endpoint: str, topic: str, queues: int) -> list[Stored]:
    """Everything that a topic holds, queue by queue, without a group."""
    stored = []
    async with BatchFetcher(endpoint) as fetcher:
        for queue_id in range(queues):
            async for batch in fetcher.fetch(topic, queue_id, offset=0):
                for place, raw in enumerate(batch.messages):
                    message = pb.Message.FromString(raw)
                    stored.append(Stored(message.system_properties.message_id, message.body, queue_id, batch.base_offset + place))
    return stored
