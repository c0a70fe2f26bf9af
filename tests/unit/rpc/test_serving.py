"""What becomes of calls when the server stops."""

import asyncio
import logging
from typing import Any

import grpc
import grpc.aio
import pytest

from mq.core.errors import Code
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.handling import log_failure
from mq.rpc.methods import BROKER, MESSAGING
from mq.rpc.serving import GrpcServer

SEND = "/apache.rocketmq.v2.MessagingService/SendMessage"


def refuse(_name: str, code: int, text: str) -> pb.SendMessageResponse:
    return pb.SendMessageResponse(status=pb.Status(code=code, message=text))  # type: ignore[arg-type]


async def test_a_call_that_is_under_way_when_time_is_up_is_answered_and_one_that_its_client_left_is_not() -> None:
    arrived = asyncio.Semaphore(0)
    ends: list[type[BaseException]] = []

    async def never(_request: Any, _context: Any) -> bytes:
        arrived.release()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            ends.append(type(error))
            raise
        return b""

    server = GrpcServer()
    port = server.bind("127.0.0.1", 0)
    await server.start(dict.fromkeys(MESSAGING, never), refuse, dict.fromkeys(BROKER, never), refuse)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        send: Any = channel.unary_unary(SEND)
        sending, left = (asyncio.ensure_future(send(b"", timeout=30, wait_for_ready=True)) for _ in range(2))
        await arrived.acquire()
        await arrived.acquire()
        left.cancel()
        await server.stop(0.2)
        status = pb.SendMessageResponse.FromString(await sending).status
    assert int(status.code) == Code.MASTER_PERSISTENCE_TIMEOUT
    assert status.message == "this node stopped before it knew what became of this"
    assert ends == [asyncio.CancelledError, asyncio.CancelledError]


def test_a_call_whose_connection_broke_is_no_failure_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_failure("FetchBatches", grpc.aio.InternalError("Failed grpc_call_start_batch: 10"))
        assert not caplog.records
        log_failure("FetchBatches", ValueError("anything else is one"))
    assert "FetchBatches failed unexpectedly: ValueError" in caplog.text
