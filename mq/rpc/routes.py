"""What clients are told about where queues are.

A route lists each queue once, under one broker name with id 0, and all addresses of its group in one endpoint;
the order is stable, since the Python client compares routes as a whole. RocketMQ: QueryRoute.
"""

import ipaddress
from collections.abc import Callable, Sequence

from mq.broker.state import Topic
from mq.core.address import Address, show_address
from mq.core.errors import IllegalArgumentError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb

__all__ = ["RouteBook", "endpoints_of"]


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
        self._name = broker_name
        self._own = own if own is not None else addresses[0]
        self._members = members
        self._static = tuple(addresses)
        self._set(self._static)
        self.store_host = show_address(self._own)

    def _set(self, addresses: tuple[Address, ...]) -> None:
        self._addresses = addresses
        self._broker = pb.Broker(name=self._name, id=0, endpoints=endpoints_of(addresses))
        self._numbers = {address: number for number, address in enumerate(sorted(addresses), 1)}

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
        whole: dict[str, pb.MessageQueue] = {}
        for queue in queues:
            whole.setdefault(queue.broker.name, queue).id = -1
        return list(whole.values())

    def _brokers(self, language: str) -> list[pb.Broker]:
        """All nodes are one broker with several addresses, so that a client need not be told when another one leads.

        The Node client (language HTTP) cannot use several addresses: for it each node is a broker of its own, this one first,
        which it asks for its assignments. It sends to queues of number 0 alone, and again to another broker only: each broker
        needs one. The Rust client spreads its calls over all addresses, the dead ones too: it gets the one it has come in by.
        """
        known = tuple(self._members() or self._static)
        if known != self._addresses:
            self._set(known)
        if len(self._numbers) == 1:
            return [self._broker]
        if language == "RUST":
            return [pb.Broker(name=self._name, id=0, endpoints=endpoints_of([self._own]))]
        if language == "HTTP":
            return [
                pb.Broker(name=f"{self._name}-{self._numbers.get(one, 0)}", id=0, endpoints=endpoints_of([one]))
                for one in sorted({self._own, *self._addresses}, key=lambda one: (one != self._own, one))
            ]
        return [self._broker]
