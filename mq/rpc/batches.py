"""Many messages per frame: the way of our own client, where one gRPC message carries a whole batch."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import grpc.aio

from mq.broker.outcomes import Sent
from mq.core.errors import Code, MqError, RefusedError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_FRAME_BYTES_MAX
from mq.core.message import MessageKind
from mq.proto import broker_v1_pb2 as pb
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc import validate
from mq.rpc.backend import AdminPort, SendingPort
from mq.rpc.handling import Context, log_failure
from mq.rpc.status import code_for, text_for
from mq.rpc.wire import parse

__all__ = ["BatchHandlers"]

_IN_FLIGHT_MAX = 256
"""Frames of one stream that may wait for the disk; a faster sender is held back by its own stream."""
_FOLLOW_WAIT_S = 10.0
_FETCH_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class _Answers:
    """The way back of one SendBatches stream.

    One group's sync ends many batches in the same moment, but gRPC takes one write of a call at a time: a second one
    beside it fails, and its answer would be lost.
    """

    def __init__(self, context: Context) -> None:
        self._context, self._turn = context, asyncio.Lock()

    async def write(self, answer: pb.BatchSent) -> None:
        """Write one answer after the others; nothing when the client is gone."""
        async with self._turn:
            try:
                await self._context.write(answer.SerializeToString())
            except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
                # It sends again what it has no answer for, and each message is stored once.
                _log.debug("an answer to SendBatches could not be written: %s", error)


class BatchHandlers:
    """SendBatches and FetchBatches."""

    def __init__(self, sending: SendingPort, admin: AdminPort) -> None:
        self._sending, self._admin = sending, admin

    async def send_batches(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Store each frame's messages as one batch; answers come as the batches become durable."""
        slots = asyncio.Semaphore(_IN_FLIGHT_MAX)
        running: set[asyncio.Task[None]] = set()
        answers = _Answers(context)

        async def store(frame: pb.BatchSend) -> None:
            try:
                answer = await self._store(frame)
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
                log_failure("SendBatches", error)
                answer = pb.BatchSent(code=code_for(error), message=text_for(error), sequence=frame.sequence)
            try:
                await answers.write(answer)
            finally:
                slots.release()

        async for raw in requests:
            await slots.acquire()
            try:
                frame = parse(pb.BatchSend, raw)
            except MqError as error:
                slots.release()
                await answers.write(pb.BatchSent(code=code_for(error), message=text_for(error)))
                continue
            task = asyncio.create_task(store(frame))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.gather(*running, return_exceptions=True)

    async def _store(self, frame: pb.BatchSend) -> pb.BatchSent:
        validate.check_own_topic(frame.topic)
        messages = tuple(frame.messages[:])
        if not 1 <= len(messages) <= BATCH_MESSAGES_MAX:
            raise RefusedError(
                Code.MESSAGE_CORRUPTED, f"messages: {len(messages)} in one frame, 1 to {BATCH_MESSAGES_MAX} are allowed"
            )
        if sum(map(len, messages)) > BODY_FRAME_BYTES_MAX:
            raise RefusedError(Code.PAYLOAD_TOO_LARGE, f"messages: more than {BODY_FRAME_BYTES_MAX} bytes in one frame")
        now_ms = time.time_ns() // 1_000_000
        checked: list[validate.CheckedMessage] = []
        try:
            for raw in messages:
                # One by one: how many are checked tells the number of the one refused.
                checked.append(validate.check_message(parse(v2.Message, raw), len(raw), now_ms))  # noqa: PERF401
        except RefusedError as error:
            raise RefusedError(error.code, f"messages[{len(checked)}]: {error}") from error
        kind = checked[0].kind
        if kind not in (MessageKind.NORMAL, MessageKind.FIFO) or any(m.kind != kind for m in checked):
            raise RefusedError(
                Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, "messages: a frame holds messages of one type, NORMAL or FIFO"
            )
        ids, tags = [m.message_id for m in checked], [m.tag for m in checked]
        shared = tags[0] if tags.count(tags[0]) == len(tags) else tuple(tags)
        sent: Sent = await self._sending.send_batch(frame.topic, frame.queue_id, kind, tuple(ids), shared, messages)
        queue_id, base_offset = sent.places[0]
        return pb.BatchSent(
            code=int(Code.OK), sequence=frame.sequence, base_offset=base_offset, queue_id=queue_id,
            count=len(messages) - sent.duplicates, duplicates=sent.duplicates,
        )  # fmt: skip

    async def fetch_batches(self, raw: bytes, context: Context) -> None:
        """Stored batches from an offset on, as they are, frame by frame."""
        try:
            request = parse(pb.FetchBatchesRequest, raw)
            low, high = self._admin.queue_ends(request.topic, request.queue_id)
            at = self._start(request, low, high)
            size = min(request.bytes_max or _FETCH_BYTES, BODY_FRAME_BYTES_MAX)
            while True:
                batches, at = await self._admin.batches(request.topic, request.queue_id, at, size)
                high = self._admin.queue_ends(request.topic, request.queue_id)[1]
                frame = pb.BatchFrame(code=int(Code.OK), next_offset=at, max_offset=high)
                for batch in batches:
                    frame.batches.add(
                        queue_id=batch.queue_id, base_offset=batch.base_offset, count=len(batch.sizes), store_ms=batch.store_ms,
                        messages=batch.payload, sizes=batch.sizes,
                    )  # fmt: skip
                if batches or not request.follow:
                    await context.write(frame.SerializeToString())
                if at >= high:
                    if not request.follow:
                        return
                    await self._admin.wait_for_more(request.topic, at, request.queue_id, _FOLLOW_WAIT_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            log_failure("FetchBatches", error)
            await context.write(pb.BatchFrame(code=code_for(error), message=text_for(error)).SerializeToString())

    def _start(self, request: pb.FetchBatchesRequest, low: int, high: int) -> int:
        if request.HasField("offset"):
            if not low <= request.offset <= high:
                raise RefusedError(
                    Code.ILLEGAL_OFFSET,
                    f"offset {request.offset} is outside queue {request.queue_id} of {request.topic}: {low} to {high}",
                )
            return request.offset
        if request.group:
            known = self._admin.consumer_offset(request.group, request.topic, request.queue_id)
            return low if known is None else max(low, known)
        return low
