"""Batches over one stream: each gets its answer, however many become durable in the same moment."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc.aio

from mq.broker.exchange import OutgoingBatch
from mq.broker.outcomes import Sent
from mq.client.encoding import MessageEncoder
from mq.core.errors import Code
from mq.proto import broker_v1_pb2 as pb
from mq.raft.errors import NotLeaderError
from mq.rpc.backend import AdminPort, SendingPort
from mq.rpc.batches import BatchHandlers
from mq.rpc.handling import Context


class OneSync:
    """A store whose batches become durable all in one moment, once `count` of them wait."""

    def __init__(self, count: int) -> None:
        self._missing, self._synced = count, asyncio.Event()

    async def send_batch(self, batch: OutgoingBatch) -> Sent:
        self._missing -= 1
        if self._missing == 0:
            self._synced.set()
        await self._synced.wait()
        return Sent(batch.topic, ((0, 7),), 0, is_visible=True)


class PickyContext:
    """Like gRPC's: one write of a call at a time, and none after the client has gone."""

    def __init__(self, *, gone_after: int = 1 << 30) -> None:
        self.written: list[pb.BatchSent] = []
        self.writes, self.is_over = 0, False
        self._is_writing, self._gone_after = False, gone_after

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def time_remaining(self) -> float | None:
        return None

    def peer(self) -> str:
        assert not self.is_over, "gRPC's own context ends the process here"
        return "ipv4:127.0.0.1:1"

    async def write(self, answer: bytes) -> None:
        assert not self.is_over, "a call that has ended"
        if self._is_writing or self.writes >= self._gone_after:
            raise grpc.aio.InternalError("TOO_MANY_OPERATIONS")
        self._is_writing = True
        await asyncio.sleep(0)
        self._is_writing = False
        self.writes += 1
        self.written.extend(pb.BatchesSent.FromString(answer).answers)


async def send(frames: list[bytes], context: PickyContext, waiting: int) -> None:
    async def requests() -> AsyncIterator[bytes]:
        for frame in frames:
            yield frame

    handlers = BatchHandlers(cast("SendingPort", OneSync(waiting)), cast("AdminPort", None))
    await asyncio.wait_for(handlers.send_batches(requests(), cast("Context", context)), 10)


def frames_of(count: int) -> list[bytes]:
    encoder = MessageEncoder()
    return [
        pb.BatchSend(
            sequence=number, topic="t", queue_id=0, messages=[encoder.encode(f"id-{number}", b"body", born_ms=1)]
        ).SerializeToString()
        for number in range(1, count + 1)
    ]


async def test_batches_that_become_durable_together_are_all_answered() -> None:
    context = PickyContext()
    await send(frames_of(50), context, waiting=50)
    assert sorted(answer.sequence for answer in context.written) == list(range(1, 51))
    assert {answer.code for answer in context.written} == {Code.OK}
    assert context.writes < 10  # what gathers behind a write leaves with the next


async def test_a_frame_that_cannot_be_read_is_answered_beside_the_others() -> None:
    context = PickyContext()
    await send([*frames_of(3), b"\xff\xff", b"\xff"], context, waiting=3)
    assert sorted(answer.sequence for answer in context.written) == [0, 0, 1, 2, 3]


async def test_a_client_that_left_is_no_error() -> None:
    context = PickyContext(gone_after=1)
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: unhandled.append(about))
    await send(frames_of(10), context, waiting=10)
    gc.collect()  # a task's error that nobody asked for is reported when the task goes
    assert len(context.written) < 10
    assert unhandled == []


class NoLeader:
    """A store on a node that does not lead."""

    async def send_batch(self, batch: OutgoingBatch) -> Sent:
        raise NotLeaderError(None)


async def test_what_waits_for_a_leader_does_not_touch_a_stream_that_has_ended() -> None:
    """The door of a node was closed while frames were held; when a leader was known, they asked the dead call for its peer."""
    context, is_held, leader_is_known, touched = PickyContext(), asyncio.Event(), asyncio.Event(), []

    async def pass_on(raw: bytes, told: Context) -> bytes:
        is_held.set()
        try:
            await leader_is_known.wait()
        finally:
            touched.append(told.peer())
        return pb.BatchSent(code=int(Code.OK)).SerializeToString()

    async def requests() -> AsyncIterator[bytes]:
        yield frames_of(1)[0]
        await asyncio.Event().wait()

    handlers = BatchHandlers(cast("SendingPort", NoLeader()), cast("AdminPort", None))
    handlers.pass_on = pass_on
    stream = asyncio.create_task(handlers.send_batches(requests(), cast("Context", context)))
    await asyncio.wait_for(is_held.wait(), 10)
    stream.cancel()
    await asyncio.wait([stream])
    context.is_over = True
    leader_is_known.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert touched == ["ipv4:127.0.0.1:1"], "what it was told at the beginning"
    assert context.written == []
