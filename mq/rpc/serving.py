"""The gRPC server: our services and gRPC's own health service on one port."""

import asyncio
import errno
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from mq.core.errors import MqError, NotServingError, OutcomeUnknownError
from mq.core.limits import FRAME_BYTES_MAX
from mq.rpc.handling import Context, Handler, Refuse, generic_handler
from mq.rpc.methods import Cardinality, Method

__all__ = ["GrpcServer", "PortError", "Service"]

_ANSWER_S = 0.1
"""For the answers to calls that have to end."""
_OPTIONS = (
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
    # Java pings every 300 s without calls, others more often; none of that is an attack.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    # A connection that died without a word is noticed by nothing else, and what was handed out on it would count as received.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class Service(NamedTuple):
    """A gRPC service. methods, handlers: by RPC name. refuse: makes the answers that report errors."""

    name: str
    methods: Mapping[str, Method]
    handlers: Mapping[str, Handler]
    refuse: Refuse


class PortError(MqError):
    """The address cannot be listened on."""


def _refusal(host: str, port: int) -> str:
    """Why the operating system does not give an address; gRPC keeps it to itself, so it is asked once more."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
            probe.listen()
    except OSError as error:
        hints = {
            errno.EADDRINUSE: "; is another broker running there? (--listen HOST:PORT takes another address)",
            errno.EADDRNOTAVAIL: "; is it an address of this machine?",
            errno.EACCES: "; ports below 1024 are the administrator's",
        }
        return f"{error.strerror}{hints.get(error.errno or 0, '')}"
    return "is another broker running there?"


class _Calls:
    """The unary calls under way, so that each gets an answer when the server stops.

    Official clients ask again, and elsewhere, after an answer that says so; a call that is cancelled under them has failed.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self.is_closed = False  # no new ones
        self._is_over = False  # those that run are ended

    def counted(self, handler: Handler) -> Handler:
        """The handler, under watch."""

        async def call(raw: bytes, context: Context) -> bytes:
            task = asyncio.current_task()
            assert task is not None
            if self.is_closed:
                raise NotServingError("this node is stopping; ask another one")
            self._running.add(task)
            try:
                answer: bytes = await handler(raw, context)
            except asyncio.CancelledError:
                if not self._is_over:
                    raise
                task.uncancel()
                raise OutcomeUnknownError("this node stopped before it knew what became of this") from None
            finally:
                self._running.discard(task)
            return answer

        return call

    def end(self) -> None:
        """Time is up."""
        self._is_over = True
        for task in tuple(self._running):
            task.cancel()


class GrpcServer:
    """Listens for clients. `port` is the real one, also when 0 was asked for: known before routes are told to anyone."""

    def __init__(self) -> None:
        self._calls = _Calls()
        self._server = grpc.aio.server(options=_OPTIONS)
        self._health = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port = 0

    @staticmethod
    def port_of(host: str, port: int) -> int:
        """The port itself, or for 0 one that is free now: it must be known before anything is told to anyone."""
        if port:
            return port
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
            return int(probe.getsockname()[1])

    def bind(self, host: str, port: int) -> int:
        """Take the port; returns it. Raises: PortError."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise PortError(f"listen: cannot listen on {address}: {_refusal(host, port)}") from error
        if self.port == 0:
            raise PortError(f"listen: cannot listen on {address}: {_refusal(host, port)}")
        return self.port

    async def start(self, services: Sequence[Service]) -> None:
        """Begin to answer."""
        self._server.add_generic_rpc_handlers(
            [generic_handler(one.name, one.methods, self._watched(one), one.refuse) for one in services]
        )
        await self._server.start()
        for name in ("", *(one.name for one in services)):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def _watched(self, service: Service) -> dict[str, Handler]:
        """The handlers of a service, the unary ones under watch: a stream tells its client by itself that it has ended."""
        return {
            name: self._calls.counted(one) if service.methods[name].cardinality is Cardinality.UNARY else one
            for name, one in service.handlers.items()
        }

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, let the running ones end within `grace_s`; those that do not are answered all the same."""
        self._calls.is_closed = True
        await self._health.enter_graceful_shutdown()
        ending = asyncio.get_running_loop().call_later(grace_s, self._calls.end)
        await self._server.stop(grace_s + _ANSWER_S)
        ending.cancel()
