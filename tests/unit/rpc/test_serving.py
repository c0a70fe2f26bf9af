"""What becomes of calls when the server stops."""

import asyncio
import logging
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1.health import aio as health_aio

from mq.core.errors import Code
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.handling import Handler, Refuse, log_failure
from mq.rpc.messaging import MessagingHandlers
from mq.rpc.methods import BROKER, BROKER_SERVICE, MESSAGING, MESSAGING_SERVICE, Method
from mq.rpc.serving import GrpcServer, Service

SEND, CREATE = MESSAGING["SendMessage"], BROKER["CreateTopic"]
"""A unary call of each service."""


def refuse(_name: str, code: int, text: str) -> pb.SendMessageResponse:
    return pb.SendMessageResponse(status=pb.Status(code=code, message=text))  # type: ignore[arg-type]


def refuse_ours(name: str, code: int, text: str) -> Any:
    return BROKER[name].response(code=code, message=text)


def services(handler: Handler, refuse_messaging: Refuse) -> list[Service]:
    """Both, with one handler for everything."""
    return [
        Service(MESSAGING_SERVICE, MESSAGING, dict.fromkeys(MESSAGING, handler), refuse_messaging),
        Service(BROKER_SERVICE, BROKER, dict.fromkeys(BROKER, handler), refuse_ours),
    ]


def said(method: Method, answer: bytes) -> tuple[int, str]:
    """Code and text of an answer of either service."""
    found: Any = method.response.FromString(answer)
    status = found.status if method is SEND else found
    return int(status.code), status.message


@pytest.mark.parametrize("method", [SEND, CREATE], ids=lambda method: method.name)
async def test_a_call_that_is_under_way_when_time_is_up_is_answered_and_one_that_its_client_left_is_not(method: Method) -> None:
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
    await server.start(services(never, refuse))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        send: Any = channel.unary_unary(method.path)
        sending, left = (asyncio.ensure_future(send(b"", timeout=30, wait_for_ready=True)) for _ in range(2))
        await arrived.acquire()
        await arrived.acquire()
        left.cancel()
        await server.stop(0.2)
        answer = await sending
    assert said(method, answer) == (Code.MASTER_PERSISTENCE_TIMEOUT, "this node stopped before it knew what became of this")
    assert ends == [asyncio.CancelledError, asyncio.CancelledError]


@pytest.mark.parametrize("method", [SEND, CREATE], ids=lambda method: method.name)
async def test_a_call_that_comes_while_the_server_stops_is_sent_elsewhere_and_not_begun(
    method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answers = [], []

    async def begin(_request: Any, _context: Any) -> bytes:
        begun.append("begun")
        return b""

    async def call_now(health: health_aio.HealthServicer) -> None:
        """The last moment in which gRPC itself takes calls; the server stops already."""
        answers.append(await call(b"", timeout=30))
        await leave(health)

    leave = health_aio.HealthServicer.enter_graceful_shutdown
    monkeypatch.setattr(health_aio.HealthServicer, "enter_graceful_shutdown", call_now)
    server = GrpcServer()
    port = server.bind("127.0.0.1", 0)
    await server.start(services(begin, refuse))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(method.path)
        await call(b"", timeout=30, wait_for_ready=True)
        assert begun == ["begun"]
        await server.stop(5)
    assert said(method, answers[0]) == (Code.PROXY_TIMEOUT, "this node is stopping; ask another one")
    assert begun == ["begun"], "the second one was begun"


@pytest.mark.parametrize("is_closed", [False, True])
async def test_a_change_that_meets_a_server_that_stops_gets_its_handle_back(is_closed: bool) -> None:
    """Clients take the answer's handle before they look at its status: with an empty one they could never acknowledge."""
    begun = asyncio.Event()

    async def never(_request: Any, _context: Any) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    server = GrpcServer()
    port = server.bind("127.0.0.1", 0)
    await server.start(services(never, MessagingHandlers.refuse))
    server._calls.is_closed = is_closed
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        change: Any = channel.unary_unary(MESSAGING["ChangeInvisibleDuration"].path)
        request = pb.ChangeInvisibleDurationRequest(receipt_handle="mine").SerializeToString()
        changing = asyncio.ensure_future(change(request, timeout=30, wait_for_ready=True))
        if not is_closed:
            await begun.wait()
            await server.stop(0.1)
        answer = pb.ChangeInvisibleDurationResponse.FromString(await changing)
    await server.stop(0)
    assert begun.is_set() != is_closed
    code = Code.PROXY_TIMEOUT if is_closed else Code.MASTER_PERSISTENCE_TIMEOUT
    assert (answer.receipt_handle, int(answer.status.code)) == ("mine", code)


def test_a_call_whose_connection_broke_is_no_failure_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_failure("FetchBatches", grpc.aio.InternalError("Failed grpc_call_start_batch: 10"))
        assert not caplog.records
        log_failure("FetchBatches", ValueError("anything else is one"))
    assert "FetchBatches failed unexpectedly: ValueError" in caplog.text
