"""The client protocol as a registry node speaks it: routes are its own, everything else is relayed to a broker group that can.

Official clients ask a registry for routes alone and then talk to brokers. Whoever says everything here is served all the same,
one step slower.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from mq.client.choice import home_among
from mq.core.address import Address
from mq.core.errors import Code, MqError, RefusedError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.registry.route import Route, RouteQueue
from mq.rpc import validate
from mq.rpc.endings import ENDINGS
from mq.rpc.handles import broker_of_handle
from mq.rpc.handling import Context, Handler, headers_of, language_of, log_failure
from mq.rpc.methods import MESSAGING, Cardinality
from mq.rpc.receiving_anywhere import receive_anywhere
from mq.rpc.relaying import Relay, registered
from mq.rpc.routes import queues_of_route, whole_brokers
from mq.rpc.status import ok, top_status
from mq.rpc.wire import parse

__all__ = ["AccessPoint", "RoutesPort"]

_TO_ALL = {"Heartbeat", "NotifyClientTermination"}
"""What concerns the client itself, whoever it gets messages from."""


class RoutesPort(Protocol):
    """What the registry knows."""

    def route(self, topic: str) -> Route | None:
        """Where the queues of a topic are; None when no broker group has it."""

    async def known_route(self, topic: str) -> Route | None:
        """As `route`; a registry that has just started waits a while for its brokers before it says None."""

    def is_fifo(self, consumer_group: str) -> bool:
        """Whether a consumer group is an ordered one."""

    def brokers(self) -> dict[str, tuple[str, ...]]:
        """The addresses of all broker groups, by name, sorted."""


class AccessPoint:
    """One handler for each RPC of the client protocol. own: where this registry node is reached.

    is_outside: by clients from outside of the brokers' network, which are told other addresses.
    """

    def __init__(self, registry: RoutesPort, relay: Relay, own: Address, *, is_outside: bool = False) -> None:
        self._registry, self._relay, self._own, self._is_outside = registry, relay, own, is_outside
        self._turn = itertools.count()
        kinds = {Cardinality.UNARY: self._unary, Cardinality.SERVER_STREAM: self._stream, Cardinality.BOTH_STREAMS: self._both}
        self.by_name: dict[str, Handler] = {name: kinds[method.cardinality](name) for name, method in MESSAGING.items()}
        self.by_name |= {"QueryRoute": self.query_route, "QueryAssignment": self.query_assignment, "AckMessage": self.ack}
        self.by_name["EndTransaction"] = self.end_transaction
        self.by_name["ReceiveMessage"] = self._ended("ReceiveMessage", self._messages)
        self.by_name |= {name: self._to_all(name) for name in _TO_ALL}

    async def query_route(self, raw: bytes, context: Context) -> bytes:
        """Which queues a topic has, at all broker groups. RocketMQ: QueryRoute."""
        request = parse(pb.QueryRouteRequest, raw)
        validate.check_client_id(headers_of(context).get("x-mq-client-id"))
        validate.check_topic(request.topic.name)
        route = await self._registry.known_route(request.topic.name)
        if route is None:
            # A broker may know a topic that it has not told of yet; if none does, its answer says why.
            return await self._ask_each("QueryRoute", raw, context)
        queues = self._told(route, request.topic, context)
        return pb.QueryRouteResponse(status=ok(), message_queues=queues).SerializeToString()

    async def query_assignment(self, raw: bytes, context: Context) -> bytes:
        """Which queues a push consumer polls. RocketMQ: QueryAssignment."""
        request = parse(pb.QueryAssignmentRequest, raw)
        validate.check_client_id(headers_of(context).get("x-mq-client-id"))
        validate.check_topic(request.topic.name)
        validate.check_group(request.group.name)
        route = await self._registry.known_route(request.topic.name)
        if route is None:
            return await self._ask_each("QueryAssignment", raw, context)
        readable = Route(route.topic, tuple(queue for queue in route.queues if queue.permission.is_readable))
        if not readable.queues:
            raise RefusedError(Code.FORBIDDEN, f"topic {route.topic} is not readable: it has no readable queue")
        queues = self._told(readable, request.topic, context)
        if not self._registry.is_fifo(request.group.name):
            queues = whole_brokers(queues)
        assignments = [pb.Assignment(message_queue=queue) for queue in queues]
        return pb.QueryAssignmentResponse(status=ok(), assignments=assignments).SerializeToString()

    def _told(self, route: Route, named: pb.Resource, context: Context) -> list[pb.MessageQueue]:
        return queues_of_route(route, named, self._own, language_of(context), is_outside=self._is_outside)

    def _messages(self, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        """From whichever broker group has some; a push consumer of an ordered group polls each queue by itself.

        RocketMQ: ReceiveMessage.
        """
        request = parse(pb.ReceiveMessageRequest, raw)
        route = self._registry.route(request.message_queue.topic.name)
        brokers = {queue.broker: queue.addresses for queue in route.queues if queue.permission.is_readable} if route else {}
        if len(brokers) < 2 or (request.auto_renew and self._registry.is_fifo(request.group.name)):
            return self._relay.stream(self._addresses_for(request), "ReceiveMessage", raw, context)
        return receive_anywhere(self._relay, self._in_turn(brokers), raw, context)

    def _in_turn(self, brokers: dict[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Each time another one is asked first."""
        begin = next(self._turn) % len(brokers)
        ordered = [brokers[name] for name in sorted(brokers)]
        return ordered[begin:] + ordered[:begin]

    async def ack(self, raw: bytes, context: Context) -> bytes:
        """Messages are done, which may have come from several broker groups. RocketMQ: AckMessage."""
        request = parse(pb.AckMessageRequest, raw)
        by_broker: dict[str, list[pb.AckMessageEntry]] = {}
        for entry in request.entries:
            by_broker.setdefault(broker_of_handle(entry.receipt_handle), []).append(entry)
        if len(by_broker) < 2:
            return await self._relay.call(self._addresses_for(request), "AckMessage", raw, context)
        parts = [pb.AckMessageRequest(group=request.group, topic=request.topic, entries=part) for part in by_broker.values()]
        answers = await asyncio.gather(*(
            self._relay.call(self._addresses_for(part), "AckMessage", part.SerializeToString(), context) for part in parts
        ))  # fmt: skip
        told = [pb.AckMessageResponse.FromString(answer) for answer in answers]
        if refused := next((one for one in told if not one.entries), None):
            return refused.SerializeToString()
        results = {entry.receipt_handle: entry for one in told for entry in one.entries}
        entries = [results[entry.receipt_handle] for entry in request.entries]
        return pb.AckMessageResponse(status=top_status(one.status for one in entries), entries=entries).SerializeToString()

    async def end_transaction(self, raw: bytes, context: Context) -> bytes:
        """Nothing in it says which group has the half message: the first one that takes it. RocketMQ: EndTransaction."""
        request = parse(pb.EndTransactionRequest, raw)
        route = self._registry.route(request.topic.name)
        answer = b""
        for addresses in {queue.broker: queue.addresses for queue in route.queues}.values() if route else (self._any(),):
            answer = await self._relay.call(addresses, "EndTransaction", raw, context)
            if pb.EndTransactionResponse.FromString(answer).status.code == pb.OK:
                break
        return answer

    # --- relaying

    def _unary(self, name: str) -> Handler:
        async def call(raw: bytes, context: Context) -> bytes:
            return await self._relay.call(self._addresses_for(parse(MESSAGING[name].request, raw)), name, raw, context)

        return call

    def _stream(self, name: str) -> Handler:
        def there(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            return self._relay.stream(self._addresses_for(parse(MESSAGING[name].request, raw)), name, raw, context)

        return self._ended(name, there)

    @staticmethod
    def _ended(name: str, source: Callable[[bytes, Context], AsyncIterator[bytes]]) -> Handler:
        """The stream, which ends in good order whatever becomes of the broker group."""

        async def call(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            has_begun = False
            try:
                async for part in source(raw, context):
                    has_begun = True
                    yield part
            except MqError as error:
                log_failure(name, error)
                for part in ENDINGS[name](has_begun=has_begun):
                    yield part

        return call

    def _both(self, name: str) -> Handler:
        async def call(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
            await context.send_initial_metadata(())
            async for part in self._relay.both(self._any(), name, requests, context):
                yield part

        return call

    def _to_all(self, name: str) -> Handler:
        async def call(raw: bytes, context: Context) -> bytes:
            """Answered as one of them does, a refusal before anything else."""
            brokers = self._brokers().values()
            said = await asyncio.gather(*(self._relay.call(one, name, raw, context) for one in brokers), return_exceptions=True)
            answers = [one for one in said if isinstance(one, bytes)]
            if not answers:
                raise next(one for one in said if isinstance(one, BaseException))
            return min(answers, key=lambda one: MESSAGING[name].response.FromString(one).status.code == Code.OK)  # type: ignore[attr-defined]

        return call

    async def _ask_each(self, name: str, raw: bytes, context: Context) -> bytes:
        """The first good answer, else the last one."""
        answer = b""
        for addresses in self._brokers().values():
            answer = await self._relay.call(addresses, name, raw, context)
            if MESSAGING[name].response.FromString(answer).status.code == Code.OK:  # type: ignore[attr-defined]
                break
        return answer

    def _addresses_for(self, request: Any) -> Sequence[str]:
        """Of a broker group that can carry this out; for a topic that is not known here any, which says what is wrong."""
        route = self._registry.route(_topic_of(request))
        if route is None:
            return self._any()
        by_broker = {queue.broker: queue for queue in route.queues}
        if (named := _broker_of(request)) in by_broker:
            return by_broker[named].addresses
        if isinstance(request, pb.SendMessageRequest):
            return self._writable(request, by_broker)
        names = sorted(by_broker)
        return by_broker[names[next(self._turn) % len(names)]].addresses

    @staticmethod
    def _writable(request: pb.SendMessageRequest, by_broker: Mapping[str, RouteQueue]) -> Sequence[str]:
        """A message that is sent again goes to the same broker group, which knows it by its id; message groups stay together."""
        names = [name for name, queue in by_broker.items() if queue.permission.is_writable] or list(by_broker)
        system = request.messages[0].system_properties
        key = system.message_group or system.message_id
        return by_broker[home_among(key, names)].addresses

    def _any(self) -> Sequence[str]:
        return next(iter(self._brokers().values()))

    def _brokers(self) -> Mapping[str, Sequence[str]]:
        return registered(self._registry.brokers())


def _topic_of(request: Any) -> str:
    if isinstance(request, pb.SendMessageRequest):
        return str(request.messages[0].topic.name) if request.messages else ""
    if hasattr(request, "message_queue"):
        return str(request.message_queue.topic.name)
    return str(request.topic.name) if hasattr(request, "topic") else ""


def _broker_of(request: Any) -> str:
    """The broker group that made a receipt handle, or whose queue is named; empty where neither is."""
    if isinstance(request, pb.AckMessageRequest):
        return broker_of_handle(request.entries[0].receipt_handle) if request.entries else ""
    if hasattr(request, "receipt_handle"):
        return broker_of_handle(request.receipt_handle)
    return str(request.message_queue.broker.name) if hasattr(request, "message_queue") else ""
