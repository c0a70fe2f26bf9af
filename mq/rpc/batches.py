"""Many messages per frame: the way of our own client, where one gRPC message carries a whole batch."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import cast

import grpc.aio

from mq.core.errors import Code, MqError, RefusedError
from mq.core.limits import BODY_FRAME_BYTES_MAX
from mq.proto import broker_v1_pb2 as pb
from mq.raft.errors import NotLeaderError
from mq.rpc.backend import AdminPort, SendingPort
from mq.rpc.handling import Context, Handler, log_failure
from mq.rpc.passing import kept
from mq.rpc.status import code_for, text_for
from mq.rpc.validate_batch import BatchChecker
from mq.rpc.wire import parse

__all__ = ["BatchHandlers"]

_IN_FLIGHT_MAX = 256
"""Frames of one stream that may wait for the disk; a faster sender is held back by its own stream."""
_FOLLOW_WAIT_S = 10.0
_FETCH_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class _Answers:
    """The way back of one SendBatches stream.

    gRPC takes one write of a call at a time. One group's sync ends many frames in the same moment: what gathers while
    one write is under way leaves with the next. slots: one is given back for each answer that left.
    """

    def __init__(self, context: Context, slots: asyncio.Semaphore) -> None:
        self._context, self._slots = context, slots
        self._gathered: list[pb.BatchSent] = []
        self._is_writing = False

    async def write(self, answer: pb.BatchSent) -> None:
        """Write an answer, or leave it to whoever is writing; nothing when the client is gone."""
        self._gathered.append(answer)
        if self._is_writing:
            return
        self._is_writing = True
        try:
            while self._gathered:
                await self._write_gathered()
        finally:
            self._is_writing = False

    async def _write_gathered(self) -> None:
        answers, self._gathered = self._gathered, []
        try:
            await self._context.write(pb.BatchesSent(answers=answers).SerializeToString())
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            # It sends again what it has no answer for, and each message is stored once.
            _log.debug("answers to SendBatches could not be written: %s", error)
        finally:
            for _ in answers:
                self._slots.release()


class BatchHandlers:
    """SendBatches and FetchBatches."""

    def __init__(self, sending: SendingPort, admin: AdminPort) -> None:
        self._sending, self._admin = sending, admin
        self.pass_on: Handler = self.store_batch
        """Stores a frame where that can be done; another way in a group."""

    async def send_batches(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Store each frame's messages as one batch; answers come as the batches become durable."""
        slots = asyncio.Semaphore(_IN_FLIGHT_MAX)
        running: set[asyncio.Task[None]] = set()
        try:
            await self._send_batches(requests, context, slots, running)
        finally:
            for task in running:  # the client is gone, or this node's door was closed: nobody waits for an answer
                task.cancel()

    async def _send_batches(
        self, requests: AsyncIterator[bytes], context: Context, slots: asyncio.Semaphore, running: set[asyncio.Task[None]]
    ) -> None:
        answers, checker, lasting = _Answers(context, slots), BatchChecker(), cast(Context, kept(context))
        async for raw in requests:
            await slots.acquire()
            try:
                frame = parse(pb.BatchSend, raw)
            except MqError as error:
                await answers.write(pb.BatchSent(code=code_for(error), message=text_for(error)))
                continue
            task = asyncio.create_task(self._store(raw, frame, checker, answers, lasting))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.gather(*running, return_exceptions=True)

    async def store_batch(self, raw: bytes, _context: Context) -> bytes:
        """One frame of SendBatches, passed on by another node."""
        return (await self._stored(parse(pb.BatchSend, raw), BatchChecker())).SerializeToString()

    async def _store(self, raw: bytes, frame: pb.BatchSend, checker: BatchChecker, answers: _Answers, context: Context) -> None:
        try:
            answer = await self._stored(frame, checker)
        except NotLeaderError:
            try:
                answer = pb.BatchSent.FromString(await self.pass_on(raw, context))
            except MqError as error:
                log_failure("SendBatches", error)
                answer = pb.BatchSent(code=code_for(error), message=text_for(error), sequence=frame.sequence)
        await answers.write(answer)

    async def _stored(self, frame: pb.BatchSend, checker: BatchChecker) -> pb.BatchSent:
        """The answer to a frame. Raises: NotLeaderError."""
        try:
            batch = checker.check(frame, time.time_ns() // 1_000_000)
            sent = await self._sending.send_batch(batch)
            queue_id, base_offset = sent.places[0]
            answer = pb.BatchSent(
                code=int(Code.OK), sequence=frame.sequence, base_offset=base_offset, queue_id=queue_id,
                count=len(batch.ids) - sent.duplicates, duplicates=sent.duplicates,
            )  # fmt: skip
        except NotLeaderError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            log_failure("SendBatches", error)
            answer = pb.BatchSent(code=code_for(error), message=text_for(error), sequence=frame.sequence)
        return answer

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
                    part = batch.part
                    frame.batches.add(
                        queue_id=batch.queue_id, base_offset=batch.base_offset, count=len(part.sizes), store_ms=part.wall_ms,
                        messages=part.payload, sizes=part.sizes, shared=part.shared, ids=part.ids,
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
