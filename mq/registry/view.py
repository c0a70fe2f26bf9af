"""A registry node at a glance, as plain frozen data."""

from dataclasses import dataclass

from mq.registry.registration import Replication, Role

__all__ = ["BrokerGroupView", "NodeView", "RegistryView"]


@dataclass(frozen=True, slots=True)
class NodeView:
    """One registered node. silent_ms: since it was last heard of. applied, lag: log entries."""

    node: int
    role: Role
    epoch: int
    address: str
    applied: int
    lag: int
    silent_ms: int


@dataclass(frozen=True, slots=True)
class BrokerGroupView:
    """One broker group. leader: number of the node that leads, or is the master, None while nobody says so of itself."""

    name: str
    replication: Replication
    leader: int | None
    epoch: int
    version: int
    is_writable: bool
    topics: int
    nodes: tuple[NodeView, ...]


@dataclass(frozen=True, slots=True)
class RegistryView:
    """All broker groups, by name."""

    groups: tuple[BrokerGroupView, ...]
