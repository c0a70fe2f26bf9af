"""What clients are told about where queues are.

A route lists each queue once, under one broker name with id 0, and all addresses of its group in one endpoint;
the order is stable, since the Python client compares routes as a whole. RocketMQ: QueryRoute.
"""

import ipaddress
from collections.abc import Sequence

from mq.broker.state import Topic
from mq.core.errors import IllegalArgumentError
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
    """The routes of one broker group. addresses: (host, port) of its nodes, as clients reach them."""

    def __init__(self, broker_name: str, addresses: Sequence[tuple[str, int]]) -> None:
        self._broker = pb.Broker(name=broker_name, id=0, endpoints=endpoints_of(addresses))
        host, port = addresses[0]
        self.store_host = f"{host}:{port}"

    def queues(self, topic: Topic, named: pb.Resource) -> list[pb.MessageQueue]:
        """The queues of a topic. named: the topic as the request has it, which is echoed."""
        return [
            pb.MessageQueue(
                topic=named, id=queue.queue_id, permission=int(topic.permission), broker=self._broker,  # type: ignore[arg-type]
                accept_message_types=[int(topic.kind)],  # type: ignore[list-item]
            )
            for queue in topic.queues
        ]  # fmt: skip
