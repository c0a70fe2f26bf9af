"""Many messages per frame: our own client's fast way, for programs that run an event loop.

Sending is pipelined: a window of batches is under way while their answers come in as the broker's disk lets them.
After a broken connection whatever is unanswered is sent again; the broker knows the messages by their ids, so each
is stored once.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc
import grpc.aio

from mq.client.batch import Columns, FetchedBatch, split_batch
from mq.client.errors import NoAnswerError, UnreachableError, error_of_code, is_worth_repeating
from mq.client.views import BatchResult
from mq.core.address import show_address
from mq.core.errors import Code, IllegalArgumentError, MqError, NotServingError, OutcomeUnknownError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_FRAME_BYTES_MAX
from mq.proto import broker_v1_pb2 as pb
from mq.rpc.batch_attempts import PAUSE_MAX_S, PAUSE_MIN_S, Attempts, Batch
from mq.rpc.calling import CHANNEL_OPTIONS, client_headers, error_of_rpc, new_client_id, parse_endpoints, targets_of
from mq.rpc.methods import BROKER

__all__ = ["BatchFetcher", "BatchProducer"]

_OK = int(Code.OK)


class _Channels:
    """Channels to the endpoints, one in use at a time."""

    def __init__(self, endpoints: str, client_id: str | None) -> None:
        addresses = parse_endpoints(endpoints)
        self.where = ", ".join(map(show_address, addresses))
        self.headers = client_headers(client_id or new_client_id())
        self._targets = itertools.cycle(targets_of(addresses))
        self.current = self._open()

    def _open(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(next(self._targets), options=CHANNEL_OPTIONS)

    async def use_next(self) -> None:
        """After a failure: the next target, by a fresh connection."""
        await self.current.close()
        self.current = self._open()


def _request(topic: str, messages: Sequence[bytes] | Columns, queue_id: int) -> pb.BatchSend:
    """The frame of a batch, but for its sequence number. Raises: IllegalArgumentError."""
    if isinstance(messages, Columns):
        shared, ids, bodies = messages
        if len(ids) != len(bodies):
            raise IllegalArgumentError(f"messages: {len(bodies)} bodies for {len(ids)} ids")
        request = pb.BatchSend(topic=topic, queue_id=queue_id, shared=shared, ids=ids, bodies=bodies)
        count, size = len(bodies), len(shared) + sum(map(len, bodies))
    else:
        request = pb.BatchSend(topic=topic, queue_id=queue_id, messages=messages)
        count, size = len(messages), sum(map(len, messages))
    if not 0 < count <= BATCH_MESSAGES_MAX:
        raise IllegalArgumentError(f"messages: {count}, 1 to {BATCH_MESSAGES_MAX} make a batch")
    if size > BODY_FRAME_BYTES_MAX:
        raise IllegalArgumentError(f"messages: {size} bytes together, at most {BODY_FRAME_BYTES_MAX}")
    return request


class BatchProducer:
    """Sends batches of serialized messages, a window of them at a time. Use `async with`.

    window_batches: sent and not answered yet, at most; beyond it `send` waits. timeout_s: for one batch, all attempts
    together. Messages are best made by `mq.client.encoding.MessageEncoder`.
    """

    def __init__(
        self, endpoints: str, *, window_batches: int = 64, timeout_s: float = 30.0, client_id: str | None = None
    ) -> None:
        if window_batches < 1:
            raise IllegalArgumentError(f"window_batches: {window_batches} is below 1")
        self._endpoints, self._client_id, self._timeout_s = endpoints, client_id, timeout_s
        self._sequences = itertools.count(1)
        self._slots = asyncio.Semaphore(window_batches)
        self._waiting: dict[int, Batch] = {}
        self._outbox: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._is_closing = False
        self._unreachable: UnreachableError | None = None

    async def __aenter__(self) -> "BatchProducer":
        self._channels = _Channels(self._endpoints, self._client_id)
        self._attempts = Attempts(self._send_again, asyncio.get_running_loop().call_later)
        self._work = asyncio.create_task(self._run())
        self._sweep = asyncio.create_task(self._expire_forever())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for all answers, unless an exception is on its way, and disconnect."""
        if kind is None:
            await self.flush()
        self._is_closing = True
        self._outbox.put_nowait(None)
        for task in (self._sweep, self._work):
            task.cancel()
        await asyncio.gather(self._sweep, self._work, return_exceptions=True)
        self._attempts.forget()
        self._end_all(NoAnswerError("the producer was closed before the broker answered"))
        await self._channels.current.close()

    async def send(self, topic: str, messages: Sequence[bytes] | Columns, *, queue_id: int = -1) -> "asyncio.Future[BatchResult]":
        """Send one batch, all of its messages into one queue (-1: the broker picks); waits only for room in the window.

        messages: serialized, each whole; or in columns, which is several times faster. The future ends when the batch
        is durable. It raises: RefusedError; after `timeout_s` NotServingError or UnreachableError, when it is certain that
        nothing is stored, else NoAnswerError.
        Raises: IllegalArgumentError.
        """
        request = _request(topic, messages, queue_id)
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        sequence = next(self._sequences)
        request.sequence = sequence
        batch = Batch(sequence, request.SerializeToString(), loop.create_future(), loop.time() + self._timeout_s)
        self._waiting[sequence] = batch
        self._outbox.put_nowait(batch)
        return batch.done

    async def flush(self) -> None:
        """Wait until every batch is answered; what they raise is for those who hold their futures."""
        while self._waiting:
            await asyncio.wait([batch.done for batch in self._waiting.values()])

    def _send_again(self, batch: Batch) -> None:
        self._outbox.put_nowait(batch)  # of the stream that is there now

    def _end(self, batch: Batch, result: BatchResult | MqError) -> None:
        if self._waiting.pop(batch.sequence, None) is None:
            return
        self._slots.release()
        if batch.done.done():
            return
        if isinstance(result, MqError):
            batch.done.set_exception(result)
            batch.done.exception()  # an error that nobody asks for is not an event of its own
        else:
            batch.done.set_result(result)

    def _end_all(self, error: MqError) -> None:
        for batch in list(self._waiting.values()):
            self._end(batch, error)

    async def _expire_forever(self) -> None:
        while True:
            await asyncio.sleep(min(0.25, self._timeout_s / 4))
            now = asyncio.get_running_loop().time()
            for batch in [batch for batch in self._waiting.values() if batch.due <= now]:
                is_connected = self._channels.current.get_state() is grpc.ChannelConnectivity.READY
                self._end(batch, batch.late(self._channels.where, self._timeout_s, None if is_connected else self._unreachable))

    # --- the stream

    async def _run(self) -> None:
        pause_s = PAUSE_MIN_S
        while True:
            try:
                answered = await self._run_stream()
                self._stream_is_over(None)
                pause_s = PAUSE_MIN_S if answered else pause_s
            except grpc.aio.AioRpcError as failure:
                error = error_of_rpc(failure, self._channels.where, None)
                self._stream_is_over(error)
                if not is_worth_repeating(error, is_idempotent=True):
                    self._end_all(error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)
            await self._channels.use_next()

    def _stream_is_over(self, error: MqError | None) -> None:
        """What has no answer gets none; all that waits goes out by the next stream."""
        self._unreachable = error if isinstance(error, UnreachableError) else None
        self._attempts.forget()
        for batch in self._waiting.values():
            batch.lost(is_sent=self._unreachable is None)

    async def _run_stream(self) -> int:
        """One stream from beginning to end; begins with whatever is unanswered. Returns how many answers came."""
        method, answered = BROKER["SendBatches"], 0
        outbox = self._outbox = asyncio.Queue()
        for batch in self._waiting.values():
            outbox.put_nowait(batch)
        call: Any = self._channels.current.stream_stream(method.path)(self._frames(outbox), metadata=self._channels.headers)  # type: ignore[arg-type]
        try:
            while (raw := await call.read()) is not grpc.aio.EOF:
                self._unreachable = None
                for answer in pb.BatchesSent.FromString(raw).answers:
                    answered += 1
                    self._on_answer(answer)
        finally:
            call.cancel()
            # gRPC leaves its reader of a broken stream waiting, for ever if nothing came.
            outbox.put_nowait(None)
        return answered

    async def _frames(self, outbox: "asyncio.Queue[Batch | None]") -> AsyncGenerator[bytes, None]:
        """What goes out by one stream; the outbox is its own, so that an older stream cannot take from it."""
        while (next_batch := await outbox.get()) is not None:
            if next_batch.sequence in self._waiting:
                next_batch.is_out = True
                yield next_batch.frame

    def _on_answer(self, answer: pb.BatchSent) -> None:
        batch = self._waiting.get(answer.sequence)
        if batch is None:
            if answer.sequence == 0 and answer.code != _OK:
                # A frame that the broker could not read; which one it was is not known.
                self._end_all(error_of_code(answer.code, answer.message))
            return
        if answer.code == _OK:
            self._attempts.taken()
            self._end(batch, BatchResult(answer.queue_id, answer.base_offset, answer.count, answer.duplicates))
            return
        error = error_of_code(answer.code, answer.message)
        if isinstance(error, (NotServingError, OutcomeUnknownError)):
            batch.refused(error)
            self._attempts.hold(batch)
        else:
            self._end(batch, error)


class BatchFetcher:
    """Reads stored batches as they are; no group's progress is touched. Use `async with`.

    timeout_s: how long to try again after the connection broke, before the error is raised.
    """

    def __init__(self, endpoints: str, *, timeout_s: float = 30.0, client_id: str | None = None) -> None:
        self._endpoints, self._client_id, self._timeout_s = endpoints, client_id, timeout_s

    async def __aenter__(self) -> "BatchFetcher":
        self._channels = _Channels(self._endpoints, self._client_id)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channels.current.close()

    async def fetch(
        self, topic: str, queue_id: int, *, offset: int | None = None, group: str = "", bytes_max: int = 0, follow: bool = False
    ) -> AsyncGenerator[FetchedBatch, None]:
        """Batches from `offset` on, each message once; without one from the group's consumer offset, or the queue's start.

        bytes_max: of one frame, 0 for the broker's default. follow: wait at the queue's end instead of stopping there.
        Raises: RefusedError; after `timeout_s` of trying UnreachableError and the like.
        """
        request = pb.FetchBatchesRequest(topic=topic, queue_id=queue_id, bytes_max=bytes_max, follow=follow, group=group)
        if offset is not None:
            request.offset = offset
        failing_since: float | None = None
        while True:
            try:
                async for frame in self._frames(request):
                    failing_since = None
                    for batch in frame.batches:
                        skip = max(0, request.offset - batch.base_offset) if request.HasField("offset") else 0
                        shared = batch.shared if batch.HasField("shared") else None
                        messages = split_batch(batch.messages, batch.sizes, skip, shared=shared, ids=batch.ids)
                        request.offset = batch.base_offset + batch.count
                        yield FetchedBatch(batch.queue_id, batch.base_offset + skip, batch.store_ms, messages)
                    request.offset = frame.next_offset
            except MqError as error:
                now = time.monotonic()
                failing_since = failing_since or now
                if now - failing_since >= self._timeout_s or not is_worth_repeating(error, is_idempotent=True):
                    raise
            else:
                if not follow:
                    return
            await asyncio.sleep(PAUSE_MIN_S)
            await self._channels.use_next()

    async def _frames(self, request: pb.FetchBatchesRequest) -> AsyncGenerator[Any, None]:
        """The good frames of one stream. Raises: MqError."""
        method = BROKER["FetchBatches"]
        call: Any = self._channels.current.unary_stream(method.path)(request.SerializeToString(), metadata=self._channels.headers)  # type: ignore[arg-type]
        try:
            while (raw := await call.read()) is not grpc.aio.EOF:
                frame = pb.BatchFrame.FromString(raw)
                if frame.code != _OK:
                    raise error_of_code(frame.code, frame.message)
                yield frame
        except grpc.aio.AioRpcError as failure:
            raise error_of_rpc(failure, self._channels.where, None) from None
        finally:
            call.cancel()
