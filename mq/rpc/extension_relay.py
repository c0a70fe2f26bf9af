"""Our own service as a registry node speaks it: what concerns all broker groups goes to all of them, the rest to one that can.

A topic's queues are shared out among the broker groups. What a group has of it, it keeps: queues only get more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from mq.broker.state import QUEUES_DEFAULT
from mq.core.errors import Code, MqError, RefusedError
from mq.proto import broker_v1_pb2 as pb
from mq.registry.route import Route
from mq.rpc.handling import Context, Handler, log_failure
from mq.rpc.methods import BROKER, Cardinality
from mq.rpc.relaying import Relay, registered
from mq.rpc.status import code_for, text_for
from mq.rpc.wire import parse

__all__ = ["ExtensionRelay", "GroupsPort", "shares_of"]

_OK = int(Code.OK)
_HEARD_S = 2.0
_TO_ALL = ("DeleteTopic", "CreateGroup", "DeleteGroup")


class GroupsPort(Protocol):
    """What the registry knows."""

    def route(self, topic: str) -> Route | None:
        """Where the queues of a topic are; None when no broker group has it."""

    def brokers(self) -> dict[str, tuple[str, ...]]:
        """The addresses of all broker groups, by name, sorted."""

    def writable_brokers(self) -> frozenset[str]:
        """The names of those that are not being drained."""

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Come back when a registration has made this so, or after a while; whether it has."""


def shares_of(queues: int, has: dict[str, int], among: Sequence[str]) -> dict[str, int]:
    """How many queues of a topic each broker group is to have. has: how many it has now. among: those that may get more.

    Even shares of `queues`, the first groups one more where they do not come out even; none gets less than it has.
    """
    each, left_over = divmod(queues, len(among))
    wanted = {name: each + (number < left_over) for number, name in enumerate(sorted(among))}
    return {name: count for name in among if (count := max(wanted[name], has.get(name, 0)))}


class ExtensionRelay:
    """One handler for each RPC of the service; `by_name` is the table to register."""

    def __init__(self, registry: GroupsPort, relay: Relay) -> None:
        self._registry, self._relay = registry, relay
        kinds = {Cardinality.UNARY: self._unary, Cardinality.SERVER_STREAM: self._stream, Cardinality.BOTH_STREAMS: self._both}
        self.by_name: dict[str, Handler] = {name: kinds[method.cardinality](name) for name, method in BROKER.items()}
        self.by_name |= {name: self._to_all(name) for name in _TO_ALL}
        self.by_name |= {
            "CreateTopic": self.create_topic, "ListTopics": self.list_topics, "ListGroups": self.list_groups,
            "DescribeTopic": self.describe_topic, "DescribeGroup": self.describe_group,
            "ResetGroup": self.reset_group, "SetWritable": self.set_writable,
        }  # fmt: skip

    @staticmethod
    def refuse(name: str, code: int, text: str) -> Any:
        """The response message of an RPC that reports an error."""
        return BROKER[name].response(code=code, message=text)

    async def create_topic(self, raw: bytes, context: Context) -> bytes:
        """Share a topic's queues out among the broker groups; answered when a route would list them."""
        request = parse(pb.CreateTopicRequest, raw)
        route = self._registry.route(request.name)
        has: dict[str, int] = {}
        for queue in route.queues if route is not None else ():
            has[queue.broker] = has.get(queue.broker, 0) + 1
        brokers, among = self._brokers(), sorted(self._registry.writable_brokers())
        wanted = shares_of(request.queues or sum(has.values()) or QUEUES_DEFAULT, has, among or sorted(brokers))
        if request.queues == 0 and has:
            wanted = has
        answers = await asyncio.gather(*(
            self._relay.call(brokers[name], "CreateTopic", self._with_queues(request, count), context)
            for name, count in wanted.items()
        ))  # fmt: skip
        made = [pb.CreateTopicResponse.FromString(answer) for answer in answers]
        if refused := next((one for one in made if one.code != _OK), None):
            return refused.SerializeToString()
        total = made[0]
        total.topic.queues = sum(one.topic.queues for one in made)
        await self._registry.until(lambda: self._is_listed(request.name, total.topic.queues), _HEARD_S)
        return total.SerializeToString()

    @staticmethod
    def _with_queues(request: pb.CreateTopicRequest, queues: int) -> bytes:
        one = pb.CreateTopicRequest()
        one.CopyFrom(request)
        one.queues = queues
        return one.SerializeToString()

    def _is_listed(self, topic: str, queues: int) -> bool:
        route = self._registry.route(topic)
        return route is not None and len(route.queues) >= queues

    async def list_topics(self, raw: bytes, context: Context) -> bytes:
        """All topics, with the queues of all broker groups."""
        found: dict[str, pb.Topic] = {}
        for answer in await self._ask_all("ListTopics", raw, context):
            for topic in pb.ListTopicsResponse.FromString(answer).topics:
                if topic.name in found:
                    found[topic.name].queues += topic.queues
                else:
                    found[topic.name] = topic
        return pb.ListTopicsResponse(code=_OK, topics=[found[name] for name in sorted(found)]).SerializeToString()

    async def list_groups(self, raw: bytes, context: Context) -> bytes:
        """All consumer groups."""
        answers = await self._ask_all("ListGroups", raw, context)
        found = {group.name: group for answer in answers for group in pb.ListGroupsResponse.FromString(answer).groups}
        return pb.ListGroupsResponse(code=_OK, groups=[found[name] for name in sorted(found)]).SerializeToString()

    async def describe_topic(self, raw: bytes, context: Context) -> bytes:
        """One topic, with its queues at all broker groups."""
        told = await self._good_of_all("DescribeTopic", raw, context)
        if isinstance(told, bytes):
            return told
        merged = pb.DescribeTopicResponse(code=_OK, topic=next(iter(told.values())).topic)
        merged.topic.queues = sum(one.topic.queues for one in told.values())
        lags: dict[str, pb.TopicGroupLag] = {}
        for broker, one in told.items():
            for queue in one.queues:
                merged.queues.add().CopyFrom(queue)
                merged.queues[-1].broker = broker
            for lag in one.groups:
                if lag.group in lags:
                    lags[lag.group].lag += lag.lag
                    lags[lag.group].in_flight += lag.in_flight
                else:
                    lags[lag.group] = lag
        merged.groups.extend(lags[name] for name in sorted(lags))
        return merged.SerializeToString()

    async def describe_group(self, raw: bytes, context: Context) -> bytes:
        """One consumer group, with its progress at all broker groups."""
        told = await self._good_of_all("DescribeGroup", raw, context)
        if isinstance(told, bytes):
            return told
        group = next(iter(told.values())).group
        merged = pb.DescribeGroupResponse(code=_OK, group=group, queues=_rows(told))
        clients: dict[str, pb.GroupClient] = {}
        for one in told.values():
            for client in one.clients:
                known = clients.setdefault(client.client_id, client)
                known.last_heard_ms = min(known.last_heard_ms, client.last_heard_ms)
        merged.clients.extend(clients[name] for name in sorted(clients))
        return merged.SerializeToString()

    async def reset_group(self, raw: bytes, context: Context) -> bytes:
        """Move a consumer group at all broker groups."""
        told = await self._good_of_all("ResetGroup", raw, context)
        if isinstance(told, bytes):
            return told
        return pb.ResetGroupResponse(code=_OK, queues=_rows(told)).SerializeToString()

    async def set_writable(self, raw: bytes, context: Context) -> bytes:
        """Drain one broker group, or let it take part again; answered when routes say so."""
        request, brokers = parse(pb.SetWritableRequest, raw), self._brokers()
        if request.broker not in brokers:
            raise RefusedError(Code.NOT_FOUND, f"broker {request.broker!r} is not registered; there are {', '.join(brokers)}")
        answer = await self._relay.call(brokers[request.broker], "SetWritable", raw, context)
        if pb.SetWritableResponse.FromString(answer).code == _OK:

            def is_told() -> bool:
                return (request.broker in self._registry.writable_brokers()) == request.is_writable

            await self._registry.until(is_told, _HEARD_S)
        return answer

    async def _good_of_all(self, name: str, raw: bytes, context: Context) -> dict[str, Any] | bytes:
        """The good answers by broker group; where there is none, the first one, as it came."""
        answers = dict(zip(self._brokers(), await self._ask_all(name, raw, context), strict=True))
        told = {broker: BROKER[name].response.FromString(answer) for broker, answer in answers.items()}
        good = {broker: one for broker, one in told.items() if one.code == _OK}  # type: ignore[attr-defined]
        return good or next(iter(answers.values()))

    # --- relaying

    def _unary(self, name: str) -> Handler:
        async def call(raw: bytes, context: Context) -> bytes:
            return await self._relay.call(self._addresses_for(parse(BROKER[name].request, raw)), name, raw, context)

        return call

    def _stream(self, name: str) -> Handler:
        async def call(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            try:
                addresses = self._addresses_for(parse(BROKER[name].request, raw))
                async for part in self._relay.stream(addresses, name, raw, context):
                    yield part
            except MqError as error:
                log_failure(name, error)
                yield self.refuse(name, code_for(error), text_for(error)).SerializeToString()

        return call

    def _both(self, name: str) -> Handler:
        async def call(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
            """To where the first frame belongs."""
            first = await anext(requests, None)
            if first is None:
                return

            async def all_of_them() -> AsyncIterator[bytes]:
                yield first
                async for raw in requests:
                    yield raw

            addresses = self._addresses_for(parse(BROKER[name].request, first))
            async for part in self._relay.both(addresses, name, all_of_them(), context):
                yield part

        return call

    def _to_all(self, name: str) -> Handler:
        async def call(raw: bytes, context: Context) -> bytes:
            """Good when it is good at one of them: another one may not have what it is about."""
            answers = await self._ask_all(name, raw, context)
            return min(answers, key=lambda answer: BROKER[name].response.FromString(answer).code != _OK)  # type: ignore[attr-defined]

        return call

    async def _ask_all(self, name: str, raw: bytes, context: Context) -> list[bytes]:
        calls: list[Awaitable[bytes]] = [self._relay.call(one, name, raw, context) for one in self._brokers().values()]
        return list(await asyncio.gather(*calls))

    def _addresses_for(self, request: Any) -> Sequence[str]:
        topic = getattr(request, "topic", "")
        route, brokers = self._registry.route(topic) if topic else None, self._brokers()
        return brokers[min(queue.broker for queue in route.queues)] if route is not None else next(iter(brokers.values()))

    def _brokers(self) -> Mapping[str, Sequence[str]]:
        return registered(self._registry.brokers())


def _rows(told: dict[str, Any]) -> list[pb.QueueProgress]:
    """The progress of all answers, which do not say themselves whose it is."""
    rows = []
    for broker, one in told.items():
        for queue in one.queues:
            queue.broker = broker
            rows.append(queue)
    return rows
