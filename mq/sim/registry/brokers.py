"""Broker nodes of the registry's world: what their groups have, how far each node has heard of it, and what it says of itself."""

from dataclasses import dataclass, field

from mq.core.message import MessageKind, Permission
from mq.registry.registration import NodeKey, Registration, Replication, Role, Serial, TopicEntry

__all__ = ["SimGroup", "SimNode"]


@dataclass(slots=True)
class SimGroup:
    """A broker group. log: what its topics were at each version, from 0 on: queues by topic. No version is ever taken back."""

    name: str
    log: list[dict[str, int]] = field(default_factory=lambda: [{}])

    @property
    def topics(self) -> dict[str, int]:
        """Queues by topic, by the newest version."""
        return self.log[-1]

    def change(self, topic: str, queues: int) -> None:
        """Make a topic, widen it, or delete it (0 queues)."""
        topics = {**self.topics, topic: queues}
        if not queues:
            del topics[topic]
        self.log.append(topics)


@dataclass(slots=True)
class SimNode:
    """One node. version: of its group's log, as far as it has applied it. started_ms: of its present life; None: it is dead."""

    group: SimGroup
    number: int
    nodes: int
    version: int = 0
    started_ms: int | None = None
    said: int = 0

    @property
    def key(self) -> NodeKey:
        """Its name."""
        return NodeKey(self.group.name, self.number)

    def registration(self) -> Registration:
        """What it says now; each time with a higher number."""
        assert self.started_ms is not None
        self.said += 1
        addresses = tuple(f"{self.group.name}-{number}:8081" for number in range(1, self.nodes + 1))
        topics = tuple(
            TopicEntry(name, MessageKind.NORMAL, queues, Permission.READ_WRITE)
            for name, queues in sorted(self.group.log[self.version].items())
        )
        return Registration(
            "raftmq", self.group.name, self.number, Serial(self.started_ms, self.said), Replication.RAFT,
            Role.LEADER if self.number == 1 else Role.FOLLOWER, 1, self.version, addresses[self.number - 1], addresses,
            topics=topics,
        )  # fmt: skip
