"""What a broker node says of itself to each registry node, whole, each time. RocketMQ: RegisterBroker."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from mq.core.errors import IllegalArgumentError
from mq.core.message import MessageKind, Permission

__all__ = [
    "ConsumerGroupEntry",
    "NodeKey",
    "Registration",
    "RegistryTimes",
    "Replication",
    "Role",
    "Serial",
    "TopicEntry",
    "times_of",
]


class Replication(StrEnum):
    """How the nodes of a broker group copy from each other."""

    SOLO = "solo"
    MASTER_SLAVE = "master_slave"
    RAFT = "raft"


class Role(StrEnum):
    """What a node is in its group now. A node by itself leads."""

    LEADER = "leader"
    FOLLOWER = "follower"
    LEARNER = "learner"
    MASTER = "master"
    SLAVE = "slave"

    @property
    def is_first(self) -> bool:
        """Whether the group's state is made there."""
        return self in (Role.LEADER, Role.MASTER)


class NodeKey(NamedTuple):
    """One node: name of its broker group, and its number there."""

    broker: str
    node: int

    def __str__(self) -> str:
        """Such as `broker-a-1`."""
        return f"{self.broker}-{self.node}"


class Serial(NamedTuple):
    """Which of two registrations of a node is the later one. started_ms: when its process began, Unix time. number: then on."""

    started_ms: int
    number: int


@dataclass(frozen=True, slots=True)
class TopicEntry:
    """A topic as one broker group has it: `queues` of its queues are there, numbered from 0."""

    name: str
    kind: MessageKind
    queues: int
    permission: Permission


@dataclass(frozen=True, slots=True)
class ConsumerGroupEntry:
    """What has to be known of a consumer group to say which queues its consumers poll. RocketMQ: QueryAssignment."""

    name: str
    is_fifo: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """What one node says, of itself and of its group.

    epoch: of the one that leads, as the node knows it: Raft's term, or how often a master was promoted.
    version: of topics and consumer groups: the log index of the last command that changed one of them.
    address: HOST:PORT of this node for clients. addresses: the same of all voters of the group, dead or alive, sorted.
    outside: as `addresses`, for clients from outside of the network that brokers are in; empty where there is no such thing.
    applied: log index up to which this node's state has come. lag: how many entries it is behind the one that leads.
    """

    cluster: str
    broker: str
    node: int
    serial: Serial
    replication: Replication
    role: Role
    epoch: int
    version: int
    address: str
    addresses: tuple[str, ...]
    applied: int = 0
    lag: int = 0
    is_writable: bool = True
    topics: tuple[TopicEntry, ...] = ()
    consumer_groups: tuple[ConsumerGroupEntry, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def key(self) -> NodeKey:
        """Who says it."""
        return NodeKey(self.broker, self.node)

    def without_definitions(self) -> "Registration":
        """The same, but for topics and consumer groups, which the group's newest version of them is kept of."""
        return replace(self, topics=(), consumer_groups=())


@dataclass(frozen=True, slots=True)
class RegistryTimes:
    """How often brokers register, when they are given up, how often that is looked at, how often clients ask; all in ms."""

    register_every_ms: int = 30_000
    expiry_ms: int = 120_000
    scan_every_ms: int = 10_000
    route_every_ms: int = 30_000

    @classmethod
    def fast(cls) -> "RegistryTimes":
        """For lessons and tests: a thirtieth."""
        return cls(register_every_ms=1_000, expiry_ms=4_000, scan_every_ms=500, route_every_ms=1_000)


def times_of(profile: str) -> RegistryTimes:
    """Those of a profile, `usual` or `fast`. Raises: IllegalArgumentError."""
    match profile.lower():
        case "usual":
            return RegistryTimes()
        case "fast":
            return RegistryTimes.fast()
    raise IllegalArgumentError(f"registry_times: {profile[:80]!r} is neither usual nor fast")
