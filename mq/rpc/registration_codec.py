"""Registrations and cluster views to protobuf messages, and back."""

from typing import Any

from mq.core.errors import IllegalArgumentError
from mq.core.message import MessageKind, Permission
from mq.proto import registry_v1_pb2 as pb
from mq.registry.registration import ConsumerGroupEntry, Registration, Replication, Role, Serial, TopicEntry
from mq.registry.view import BrokerGroupView, NodeView, RegistryView

__all__ = ["cluster_of", "cluster_to", "registration_of", "registration_to"]


def registration_to(said: Registration) -> pb.Registration:
    """As it goes over the wire."""
    return pb.Registration(
        cluster=said.cluster, broker=said.broker, node_id=said.node, started_ms=said.serial.started_ms, number=said.serial.number,
        replication=said.replication, role=said.role, epoch=said.epoch, version=said.version, address=said.address,
        addresses=said.addresses, applied_index=said.applied, lag=said.lag, is_drained=not said.is_writable,
        outside_addresses=said.outside,
        topics=[
            pb.TopicEntry(name=one.name, type=int(one.kind), queues=one.queues, permission=int(one.permission))  # type: ignore[arg-type]
            for one in said.topics
        ],
        consumer_groups=[pb.ConsumerGroupEntry(name=one.name, is_fifo=one.is_fifo) for one in said.consumer_groups],
    )  # fmt: skip


def registration_of(message: pb.Registration) -> Registration:
    """As the registry takes it. Raises: IllegalArgumentError naming the field."""
    if not message.broker or not message.address or not message.addresses:
        raise IllegalArgumentError("registration: broker, address and addresses must all be given")
    return Registration(
        message.cluster, message.broker, message.node_id, Serial(message.started_ms, message.number),
        _named(Replication, message.replication, "replication"), _named(Role, message.role, "role"), message.epoch,
        message.version, message.address, tuple(message.addresses), message.applied_index, message.lag, not message.is_drained,
        tuple(
            TopicEntry(
                one.name, _named(MessageKind, int(one.type), "topics.type"), one.queues,
                _named(Permission, int(one.permission), "topics.permission"),
            )
            for one in message.topics
        ),
        tuple(ConsumerGroupEntry(one.name, one.is_fifo) for one in message.consumer_groups), tuple(message.outside_addresses),
    )  # fmt: skip


def _named(kind: Any, value: object, field: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise IllegalArgumentError(f"{field}: {value!r} is none of {', '.join(str(one.value) for one in kind)}") from None


def cluster_to(view: RegistryView) -> list[pb.BrokerGroup]:
    """As it goes over the wire."""
    return [
        pb.BrokerGroup(
            name=group.name, replication=group.replication, leader=group.leader, epoch=group.epoch, version=group.version,
            is_drained=not group.is_writable, topics=group.topics,
            nodes=[
                pb.RegisteredNode(
                    node_id=node.node, role=node.role, epoch=node.epoch, address=node.address, applied_index=node.applied,
                    lag=node.lag, silent_ms=node.silent_ms,
                )
                for node in group.nodes
            ],
        )
        for group in view.groups
    ]  # fmt: skip


def cluster_of(groups: "list[pb.BrokerGroup]") -> RegistryView:
    """As people are shown it. Raises: IllegalArgumentError, for words that this program does not know."""
    return RegistryView(tuple(
        BrokerGroupView(
            group.name, _named(Replication, group.replication, "replication"),
            group.leader if group.HasField("leader") else None, group.epoch, group.version, not group.is_drained, group.topics,
            tuple(
                NodeView(
                    node.node_id, _named(Role, node.role, "role"), node.epoch, node.address, node.applied_index, node.lag,
                    node.silent_ms,
                )
                for node in group.nodes
            ),
        )
        for group in groups
    ))  # fmt: skip
