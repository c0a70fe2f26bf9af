"""What clients are told about where queues are.

A route lists each queue once, under one broker name with id 0, and all addresses of its group in one endpoint;
the order is stable, since the Python client compares routes as a whole. RocketMQ: QueryRoute.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from mq.broker.state import Topic
from mq.core.address import Address, parse_address, show_address
from mq.core.errors import IllegalArgumentError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.registry.route import Route

__all__ = ["RouteBook", "endpoints_of", "queues_of_route", "shapes", "whole_brokers"]


def endpoints_of(addresses: Sequence[tuple[str, int]]) -> pb.Endpoints:
    """Addresses in the protocol's form. Raises: IllegalArgumentError when they cannot stand in one endpoint."""
    kinds = {_scheme(host) for host, _ in addresses}
    if not addresses or len(kinds) > 1 or (kinds == {pb.DOMAIN_NAME} and len(addresses) > 1):
        shown = ", ".join(f"{host}:{port}" for host, port in addresses) or "nothing"
        raise IllegalArgumentError(f"advertise: {shown} must be one host name, or IP addresses of one version")
    return pb.Endpoints(scheme=kinds.pop(), addresses=[pb.Address(host=host, port=port) for host, port in sorted(addresses)])


def _scheme(host: str) -> "pb.AddressScheme.ValueType":
    try:
        return pb.IPv6 if ipaddress.ip_address(host).version == 6 else pb.IPv4
    except ValueError:
        return pb.DOMAIN_NAME


def shapes(name: str, addresses: Sequence[Address], own: Address, language: str) -> list[pb.Broker]:
    """A broker group as a client of this language can use it. addresses: of all its nodes. own: of the node that is asked.

    All nodes are one broker with several addresses, so that a client need not be told when another one leads.

    The Node client (language HTTP) cannot use several addresses: for it each node is a broker of its own, the asked one first,
    which it asks for its assignments. It sends to queues of number 0 alone, and again to another broker only: each broker
    needs one. The Rust client spreads its calls over all addresses, the dead ones too: it gets the one it has come in by.
    """
    if language == "RUST":
        return [pb.Broker(name=name, id=0, endpoints=endpoints_of([own]))]
    if language == "HTTP" and len(addresses) > 1:
        numbers = {address: number for number, address in enumerate(sorted(addresses), 1)}
        return [
            pb.Broker(name=f"{name}-{numbers.get(one, 0)}", id=0, endpoints=endpoints_of([one]))
            for one in sorted({own, *addresses}, key=lambda one: (one != own, one))
        ]
    return [pb.Broker(name=name, id=0, endpoints=endpoints_of(addresses))]


def whole_brokers(queues: Iterable[pb.MessageQueue]) -> list[pb.MessageQueue]:
    """What push consumers of a group that is not ordered poll: the whole of each broker, as its queue -1."""
    whole: dict[str, pb.MessageQueue] = {}
    for queue in queues:
        whole.setdefault(queue.broker.name, queue).id = -1
    return list(whole.values())


def queues_of_route(
    route: Route, named: pb.Resource, own: Address, language: str, *, is_outside: bool = False
) -> list[pb.MessageQueue]:
    """A route as clients are told it. named: the topic as the request has it, which is echoed.

    own: the address of who is asked. is_outside: for clients from outside of the brokers' network. RocketMQ: QueryRoute.
    """
    brokers = {}
    for queue in route.queues:
        if queue.broker not in brokers:
            nodes = [parse_address(one, "address") for one in (is_outside and queue.outside) or queue.addresses]
            brokers[queue.broker] = shapes(queue.broker, nodes, own if language == "RUST" else nodes[0], language)
    return [
        pb.MessageQueue(
            topic=named, id=queue.queue_id, permission=int(queue.permission), broker=broker,  # type: ignore[arg-type]
            accept_message_types=[int(queue.kind)],  # type: ignore[list-item]
        )
        for queue in route.queues for broker in brokers[queue.broker]
    ]  # fmt: skip


class RouteBook:
    """The routes of one broker group. addresses: (host, port) of its nodes, as clients reach them.

    own: of this node. members: the addresses as the group itself knows them, which take the place of `addresses`; None while it
    does not know all.
    """

    def __init__(
        self,
        broker_name: str,
        addresses: Sequence[Address],
        *,
        own: Address | None = None,
        members: Callable[[], Sequence[Address] | None] = lambda: None,
    ) -> None:
        self.name = broker_name
        self.own = own if own is not None else addresses[0]
        self._members = members
        self._static = tuple(addresses)
        self._set(self._static)
        self.store_host = show_address(self.own)

    def _set(self, addresses: tuple[Address, ...]) -> None:
        self._addresses = addresses
        self._broker = pb.Broker(name=self.name, id=0, endpoints=endpoints_of(addresses))

    def queues(
        self, topic: Topic, named: pb.Resource, language: str = "", kinds: Sequence[MessageKind] = ()
    ) -> list[pb.MessageQueue]:
        """The queues of a topic, broker by broker. named: the topic as the request has it, which is echoed.

        kinds: of messages that it takes, when that is not decided yet. language: of the client. Where the group is several
        brokers to a client, each of them has all the queues: any node takes any call. RocketMQ: QueryRoute.
        """
        return [
            pb.MessageQueue(
                topic=named, id=queue.queue_id, permission=int(topic.permission),  # type: ignore[arg-type]
                broker=broker,
                accept_message_types=[int(kind) for kind in kinds or (topic.kind,)],  # type: ignore[misc]
            )
            for broker in self._brokers(language) for queue in topic.queues
        ]  # fmt: skip

    def polled(self, topic: Topic, named: pb.Resource, language: str = "", *, is_fifo: bool = False) -> list[pb.MessageQueue]:
        """What a push consumer polls: for a FIFO group the queues, for another the whole of each broker, as queue -1.

        RocketMQ: QueryAssignment.
        """
        queues = self.queues(topic, named, language)
        if is_fifo:
            return queues
        return whole_brokers(queues)

    def addresses(self) -> tuple[Address, ...]:
        """Of all nodes of the group, as clients reach them."""
        return tuple(self._members() or self._static)

    def _brokers(self, language: str) -> list[pb.Broker]:
        """See `shapes`."""
        known = self.addresses()
        if known != self._addresses:
            self._set(known)
        if len(self._addresses) == 1 or language not in ("RUST", "HTTP"):
            return [self._broker]
        return shapes(self.name, self._addresses, self.own, language)
