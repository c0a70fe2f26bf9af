"""Routes by asking a registry node or a broker, and a connection to each broker group that they name."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import grpc
import grpc.aio

from mq.client.errors import UnreachableError, check_code
from mq.client.queues import QueueName
from mq.client.route_cache import KnownQueue, RouteCache
from mq.core.address import show_address
from mq.core.errors import MqError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import CHANNEL_OPTIONS, client_headers, error_of_rpc, parse_endpoints, targets_of
from mq.rpc.channels import Channels
from mq.rpc.methods import server_stream, unary

__all__ = ["Routing", "known_queue", "now_ms"]

_ROUTE_S = 3.0
_LOOK_S = 1.0
_READS, _WRITES = (pb.READ, pb.READ_WRITE), (pb.WRITE, pb.READ_WRITE)


class Routing:
    """For one client. endpoints: registry nodes or brokers, HOST:PORT,... Use `async with`.

    every_ms: how old a route may grow. timeout_s: of one call to a broker.
    """

    def __init__(self, endpoints: str, client_id: str, *, every_ms: int = 30_000, timeout_s: float = 3.0) -> None:
        addresses = parse_endpoints(endpoints)
        self._client_id, self._timeout_s = client_id, timeout_s
        self._where = ", ".join(map(show_address, addresses))
        self._asked = [grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) for target in targets_of(addresses)]
        self._brokers = Channels()
        self._routes = RouteCache(every_ms)
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Routing":
        self._refreshing = asyncio.create_task(self._refresh_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._asking.values(), *([self._refreshing] if self._refreshing is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channel in self._asked:
            await channel.close()
        await self._brokers.close()

    async def queues(self, topic: str) -> tuple[KnownQueue, ...]:
        """Of a topic; asked for on first use. Raises: RefusedError (TOPIC_NOT_FOUND), and what `call` raises."""
        try:
            return self._routes.queues(topic)
        except KeyError:
            if topic not in self._asking:
                self._asking[topic] = asyncio.create_task(self._ask(topic))
                self._asking[topic].add_done_callback(lambda _: self._asking.pop(topic))
            await asyncio.shield(self._asking[topic])
        try:
            return self._routes.queues(topic)
        except MqError:
            self._routes.forget(topic)  # the next use asks anew
            raise

    @property
    def client_id(self) -> str:
        """By which brokers know this client."""
        return self._client_id

    def brokers(self) -> Mapping[str, tuple[str, ...]]:
        """The addresses of all broker groups in the routes of topics used so far, by name."""
        return self._routes.addresses()

    def channel(self, addresses: tuple[str, ...]) -> grpc.aio.Channel:
        """The connection to a broker group."""
        return self._brokers.to(addresses)

    async def call(self, addresses: tuple[str, ...], name: str, request: Any, *, timeout_s: float | None = None) -> Any:
        """A unary call to a broker group. Raises: MqError, but for what the answer's status says."""
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            return await unary(self._brokers.to(addresses), name)(
                request, timeout=limit_s, metadata=client_headers(self._client_id)
            )
        except grpc.aio.AioRpcError as error:
            raise error_of_rpc(error, ", ".join(addresses), limit_s) from None

    async def stream(self, addresses: tuple[str, ...], name: str, request: Any, *, timeout_s: float) -> AsyncGenerator[Any, None]:
        """The answers of a broker group to a call that has several. Raises: as `call`, while iterating."""
        call = server_stream(self._brokers.to(addresses), name)(
            request, timeout=timeout_s, metadata=client_headers(self._client_id)
        )
        try:
            async for part in call:
                yield part
        except grpc.aio.AioRpcError as error:
            raise error_of_rpc(error, ", ".join(addresses), timeout_s) from None
        finally:
            call.cancel()

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.gather(*map(self._ask, self._routes.due(now_ms())))

    async def _ask(self, topic: str) -> None:
        try:
            self._routes.told(topic, await self._route(topic), now_ms())
        except MqError as error:
            self._routes.failed(topic, error, now_ms())

    async def _route(self, topic: str) -> tuple[KnownQueue, ...]:
        response = await self.ask("QueryRoute", pb.QueryRouteRequest(topic=pb.Resource(name=topic)))
        check_code(response.status.code, response.status.message)
        return tuple(map(known_queue, response.message_queues))

    async def ask(self, name: str, request: Any) -> Any:
        """A question to the endpoints, one after the other until one answers. Raises: as `call`."""
        unreachable: MqError = UnreachableError(f"cannot reach {self._where}")
        for channel in self._asked:
            try:
                return await unary(channel, name)(request, timeout=_ROUTE_S, metadata=client_headers(self._client_id))
            except grpc.aio.AioRpcError as error:
                unreachable = error_of_rpc(error, self._where, _ROUTE_S, is_read=True)
        raise unreachable


def known_queue(queue: pb.MessageQueue) -> KnownQueue:
    """A queue as a route or an assignment tells it. RocketMQ: MessageQueue."""
    addresses = tuple(show_address((one.host, one.port)) for one in queue.broker.endpoints.addresses)
    name = QueueName(queue.topic.name, queue.broker.name, queue.id)
    kind = MessageKind(queue.accept_message_types[0]) if queue.accept_message_types else MessageKind.NORMAL
    return KnownQueue(name, kind, queue.permission in _WRITES, queue.permission in _READS, addresses)


def now_ms() -> int:
    """On the monotonic clock, by which routes grow old and sends are timed."""
    return time.monotonic_ns() // 1_000_000
