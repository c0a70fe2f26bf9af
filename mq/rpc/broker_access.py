"""The client protocol as a broker speaks it that knows of other broker groups: routes of all, and calls for them relayed.

So a client may be pointed at any broker, and a consumer that asks one group at a time is not left waiting there while another
one has messages. A call that was relayed already is carried out here, whatever it says: nothing goes round.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, cast

from mq.client.choice import home_among
from mq.core.address import Address
from mq.proto import rocketmq_v2_pb2 as pb
from mq.registry.route import Route
from mq.rpc.access_point import AccessPoint, RoutesPort
from mq.rpc.handles import broker_of_handle
from mq.rpc.handling import Context, Handler, Refuse, guarded, headers_of
from mq.rpc.methods import MESSAGING, Cardinality
from mq.rpc.passing import kept
from mq.rpc.relaying import RELAYED, Relay
from mq.rpc.wire import parse

__all__ = ["BrokerAccess", "HomeRelay"]

_HERE = {"Telemetry", "Heartbeat", "NotifyClientTermination", "RecallMessage", "SyncLiteSubscription"}
"""Official clients say these to each broker group by themselves; the others are not served yet."""


class HomeRelay(Relay):
    """Hands calls on to other broker groups; those for its own one are carried out here. own: the addresses of that one."""

    def __init__(self, own: Callable[[], Sequence[str]], handlers: Mapping[str, Handler], refuse: Refuse) -> None:
        super().__init__()
        self._own, self._handlers, self._refuse = own, handlers, refuse

    async def call(self, addresses: Sequence[str], name: str, raw: bytes, context: Context) -> bytes:
        """See `Relay`."""
        if not self._is_home(addresses):
            return await super().call(addresses, name, raw, context)
        return await guarded(name, self._handlers[name], self._refuse)(raw, cast(Context, kept(context)))

    async def stream(self, addresses: Sequence[str], name: str, raw: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """See `Relay`."""
        if self._is_home(addresses):
            source: AsyncGenerator[bytes, None] = self._handlers[name](raw, cast(Context, kept(context)))
        else:
            source = super().stream(addresses, name, raw, context)
        try:
            async for part in source:
                yield part
        finally:
            await source.aclose()

    def _is_home(self, addresses: Sequence[str]) -> bool:
        return sorted(addresses) == sorted(self._own())


class BrokerAccess:
    """Puts itself before the handlers of a broker group. name: of that group. own: where the node is reached by clients.

    is_outside: by those from outside of the brokers' network.
    """

    def __init__(self, name: str, routes: RoutesPort, relay: Relay, own: Address, *, is_outside: bool = False) -> None:
        self._name, self._routes = name, routes
        self._point = AccessPoint(routes, relay, own, is_outside=is_outside)
        self._rules: Mapping[str, Callable[[Any], bool]] = {
            "QueryRoute": lambda request: not self._has_others(self._routes.route(request.topic.name)),
            "QueryAssignment": lambda request: not self._has_others(self._routes.route(request.topic.name)),
            "SendMessage": self._keeps_messages,
            "ReceiveMessage": self._keeps_poll,
            "AckMessage": lambda request: all(self._is_own(broker_of_handle(one.receipt_handle)) for one in request.entries),
        }

    def wrap(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Handlers that answer for all broker groups."""
        return {name: handler if name in _HERE else self._wrapped(name, handler) for name, handler in handlers.items()}

    def _wrapped(self, name: str, here: Handler) -> Handler:
        elsewhere = self._point.by_name[name]

        async def call(raw: bytes, context: Context) -> bytes:
            answer: bytes = await (here if self._stays(name, raw, context) else elsewhere)(raw, context)
            return answer

        async def stream(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            source = (here if self._stays(name, raw, context) else elsewhere)(raw, context)
            try:
                async for part in source:
                    yield part
            finally:
                await source.aclose()

        return stream if MESSAGING[name].cardinality is Cardinality.SERVER_STREAM else call

    def _stays(self, name: str, raw: bytes, context: Context) -> bool:
        """Whether this group carries the call out."""
        if len(self._routes.brokers()) < 2 or RELAYED in headers_of(context):
            return True
        request = parse(MESSAGING[name].request, raw)
        rule = self._rules.get(name)
        if rule is not None:
            return rule(request)
        if hasattr(request, "receipt_handle"):
            return self._is_own(broker_of_handle(request.receipt_handle))
        if hasattr(request, "message_queue"):
            return self._is_own(request.message_queue.broker.name)
        return not hasattr(request, "topic") or self._has_topic(request.topic.name)

    def _keeps_messages(self, request: Any) -> bool:
        """Whoever it is sent to stores a message, unless it is drained and another one is not.

        Messages of one message group are all brought to one broker group: clients of different languages choose different ones.
        A drained group brings its messages to others because the official client, which has an old route for up to 30 s, goes
        through the queues without remembering failures: three attempts of one send may all come here.
        """
        topic = request.messages[0].topic.name if request.messages else ""
        key = request.messages[0].system_properties.message_group if request.messages else ""
        route = self._routes.route(topic)
        names = {queue.broker for queue in route.queues if queue.permission.is_writable} if route else set[str]()
        if not names:
            return True
        return home_among(key, names) == self._name if key else self._name in names

    def _keeps_poll(self, request: pb.ReceiveMessageRequest) -> bool:
        """A push consumer polls each broker group by itself; a simple one asks one of them at a time, and means all."""
        topic = request.message_queue.topic.name
        if request.auto_renew:
            named = request.message_queue.broker.name
            return self._is_own(named) and self._has_topic(topic)
        return not self._has_others(self._routes.route(topic))

    def _is_own(self, broker: str) -> bool:
        """Whether this group is meant; so it is, too, where nobody is that is known: it says what is wrong."""
        return broker == self._name or broker not in self._routes.brokers()

    def _has_topic(self, topic: str) -> bool:
        route = self._routes.route(topic)
        return route is None or any(queue.broker == self._name for queue in route.queues)

    def _has_others(self, route: Route | None) -> bool:
        return route is not None and any(queue.broker != self._name for queue in route.queues)
