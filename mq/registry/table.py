"""The registry's memory: who registered, until when that holds, and what routes follow from it. Organ: registry table.

It is told the time, and never asks for it. Nothing in it is written down: a registry node that starts anew knows nothing, and
knows all again when each broker has registered once more. RocketMQ: RouteInfoManager.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mq.core.message import Permission
from mq.registry.registration import ConsumerGroupEntry, NodeKey, Registration, Replication, Role, TopicEntry
from mq.registry.route import Route, RouteQueue, interleaved
from mq.registry.view import BrokerGroupView, NodeView, RegistryView

__all__ = ["Registered", "RegistryTable"]


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a registration. reason: why it was refused; empty when it was taken.

    has_changed: whether any route, or who leads, is another one than before. is_new: whether the node was not known.
    """

    reason: str = ""
    has_changed: bool = False
    is_new: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether it holds now."""
        return not self.reason


@dataclass(slots=True)
class _Node:
    """said: its last registration, without topics. heard_ms: when. connection: by which it came."""

    said: Registration
    heard_ms: int
    connection: int


@dataclass(slots=True)
class _Group:
    """version: of the definitions below, -1 when there are none yet."""

    nodes: dict[int, _Node] = field(default_factory=dict)
    version: int = -1
    is_writable: bool = True
    topics: dict[str, TopicEntry] = field(default_factory=dict)
    consumer_groups: dict[str, ConsumerGroupEntry] = field(default_factory=dict)

    def first(self) -> Registration | None:
        """Of those that say they lead, the one with the highest epoch; two of one epoch: the one heard last."""
        leading = [one for one in self.nodes.values() if one.said.role.is_first]
        return max(leading, key=lambda one: (one.said.epoch, one.heard_ms)).said if leading else None

    def newest(self) -> Registration:
        """What the group says of itself: by whoever leads, else by the node that knows most."""
        return self.first() or max((one.said for one in self.nodes.values()), key=lambda said: (said.epoch, said.version))


class RegistryTable:
    """All that one registry node knows. expiry_ms: for so long after its last registration a node is taken to be alive."""

    def __init__(self, expiry_ms: int) -> None:
        self.expiry_ms = expiry_ms
        self._groups: dict[str, _Group] = {}

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        """A node says that it is there, and what its group has.

        Refused is what is older than what the same node said before. Topics of a version that is older than the one known are
        not taken, though the node is: it is alive, and behind.
        """
        group = self._groups.get(said.broker)
        known = group.nodes.get(said.node) if group else None
        if known is not None and said.serial <= known.said.serial:
            return Registered(f"serial {_shown(said)} is not later than {_shown(known.said)}, which was heard before")
        before = self._shape(said.broker)
        self._forget_address(said)
        group = self._groups.setdefault(said.broker, _Group())
        group.nodes[said.node] = _Node(said.without_definitions(), now_ms, connection)
        if said.version >= group.version:
            group.version, group.is_writable = said.version, said.is_writable
            group.topics = {topic.name: topic for topic in said.topics}
            group.consumer_groups = {one.name: one for one in said.consumer_groups}
        return Registered(has_changed=self._shape(said.broker) != before, is_new=known is None)

    def unregister(self, key: NodeKey) -> bool:
        """A node says goodbye; whether it was known."""
        return bool(self._remove([key]))

    def closed(self, connection: int) -> tuple[NodeKey, ...]:
        """A connection is gone, and with it the nodes that registered by it last; those."""
        return self._remove([key for key, node in self._nodes() if node.connection == connection])

    def expire(self, now_ms: int) -> tuple[NodeKey, ...]:
        """Give up the nodes that have been silent for too long; those."""
        return self._remove([key for key, node in self._nodes() if now_ms - node.heard_ms >= self.expiry_ms])

    def route(self, topic: str) -> Route | None:
        """Where the queues of a topic are; None for a topic that no broker group has."""
        by_broker = [self._queues(name, topic) for name in sorted(self._groups)]
        queues = interleaved(by_broker)
        return Route(topic, queues) if queues else None

    def topics(self) -> tuple[str, ...]:
        """The names of all topics, sorted."""
        return tuple(sorted({name for group in self._groups.values() for name in group.topics}))

    def is_fifo(self, consumer_group: str) -> bool:
        """Whether a consumer group is an ordered one anywhere; one that is not known is not."""
        found = (group.consumer_groups.get(consumer_group) for group in self._groups.values())
        return any(entry is not None and entry.is_fifo for entry in found)

    def brokers(self) -> dict[str, tuple[str, ...]]:
        """Where clients reach each broker group, by name, sorted."""
        return {name: self._addresses(group) for name, group in sorted(self._groups.items())}

    def writable_brokers(self) -> frozenset[str]:
        """The broker groups that take messages."""
        return frozenset(name for name, group in self._groups.items() if group.is_writable and not _has_lost_its_master(group))

    def registrations(self) -> tuple[Registration, ...]:
        """All that is known, so that another table can be made of it: of each group the first one has what the group has."""
        found = []
        for group in self._groups.values():
            first, *others = (node.said for node in group.nodes.values())
            topics, consumer_groups = tuple(group.topics.values()), tuple(group.consumer_groups.values())
            found.append(replace(
                first, version=group.version, is_writable=group.is_writable, topics=topics, consumer_groups=consumer_groups
            ))  # fmt: skip
            found.extend(replace(said, version=-1) for said in others)
        return tuple(found)

    def view(self, now_ms: int) -> RegistryView:
        """All of it at a glance."""
        return RegistryView(tuple(_group_view(name, group, now_ms) for name, group in sorted(self._groups.items())))

    def _queues(self, broker: str, topic: str) -> list[RouteQueue]:
        group = self._groups[broker]
        entry = group.topics.get(topic)
        if entry is None:
            return []
        permission = entry.permission
        addresses, outside = self._addresses(group), group.newest().outside
        if not group.is_writable or _has_lost_its_master(group):
            permission = _read_only(permission)
        return [RouteQueue(broker, number, entry.kind, permission, addresses, outside) for number in range(entry.queues)]

    @staticmethod
    def _addresses(group: _Group) -> tuple[str, ...]:
        """All voters of a Raft group, dead or alive, so that another leader changes no route; else the master, or its slaves."""
        newest = group.newest()
        if newest.replication is not Replication.MASTER_SLAVE:
            return newest.addresses
        first = group.first()
        return (first.address,) if first else tuple(sorted(node.said.address for node in group.nodes.values()))

    def _shape(self, broker: str) -> object:
        """What others would notice of a group: another one of it is a change."""
        group = self._groups.get(broker)
        if group is None:
            return None
        first = group.first()
        leader = (first.node, first.epoch) if first else None
        return group.version, group.is_writable, leader, self._addresses(group), sorted(group.nodes)

    def _forget_address(self, said: Registration) -> None:
        """One address is one node: who had it before, under another number, is that node no more (a slave was promoted)."""
        self._remove([key for key, node in self._nodes() if node.said.address == said.address and key != said.key])

    def _nodes(self) -> Iterable[tuple[NodeKey, _Node]]:
        return [(NodeKey(name, number), node) for name, group in self._groups.items() for number, node in group.nodes.items()]

    def _remove(self, keys: Iterable[NodeKey]) -> tuple[NodeKey, ...]:
        """With its last node a group is forgotten, its topics too."""
        gone = []
        for key in keys:
            group = self._groups.get(key.broker)
            if group is not None and group.nodes.pop(key.node, None) is not None:
                gone.append(key)
                if not group.nodes:
                    del self._groups[key.broker]
        return tuple(gone)


def _shown(said: Registration) -> str:
    return f"{said.serial.started_ms}.{said.serial.number} of {said.key}"


def _has_lost_its_master(group: _Group) -> bool:
    """Slaves alone are left: what they have can be read."""
    return group.first() is None and any(node.said.role is Role.SLAVE for node in group.nodes.values())


def _read_only(permission: Permission) -> Permission:
    return Permission.READ if permission.is_readable else Permission.NONE


def _group_view(name: str, group: _Group, now_ms: int) -> BrokerGroupView:
    first, newest = group.first(), group.newest()
    nodes = tuple(
        NodeView(
            number, node.said.role, node.said.epoch, node.said.address, node.said.applied, node.said.lag, now_ms - node.heard_ms
        )
        for number, node in sorted(group.nodes.items())
    )
    leader = first.node if first else None
    return BrokerGroupView(
        name, newest.replication, leader, newest.epoch, group.version, group.is_writable, len(group.topics), nodes
    )
