"""Registries with one mistake each, of one method; each must be found by the world."""

from collections.abc import Iterable
from dataclasses import replace

from mq.registry.registration import NodeKey, Registration
from mq.registry.table import Registered, RegistryTable


class TakesOlderTopics(RegistryTable):
    """Of a node that is behind, the topics are taken, too."""

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        group = self._groups.get(said.broker)
        if group is not None:
            group.version = -1
        return super().register(said, now_ms, connection)


class NeverForgetsATopic(RegistryTable):
    """What a newer version does not list any more is kept."""

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        group = self._groups.get(said.broker)
        had = dict(group.topics) if group is not None else {}
        found = super().register(said, now_ms, connection)
        if found.is_taken:
            topics = self._groups[said.broker].topics
            topics.update({name: entry for name, entry in had.items() if name not in topics})
        return found


class NeverExpires(RegistryTable):
    """Only who says goodbye, or loses its connection, goes."""

    def expire(self, now_ms: int) -> tuple[NodeKey, ...]:
        return ()


class ExpiresTooEarly(RegistryTable):
    """After half of the time."""

    def expire(self, now_ms: int) -> tuple[NodeKey, ...]:
        return super().expire(now_ms + self.expiry_ms // 2)


class CountsFromTheFirstTime(RegistryTable):
    """A registration that comes again is no sign of life."""

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        group = self._groups.get(said.broker)
        known = group.nodes.get(said.node) if group is not None else None
        return super().register(said, now_ms if known is None else known.heard_ms, connection)


class ForgetsTheGroupWithItsFirstNode(RegistryTable):
    """A node that goes takes the topics of its group along."""

    def _remove(self, keys: Iterable[NodeKey]) -> tuple[NodeKey, ...]:
        gone = super()._remove(keys)
        for key in gone:
            if key.broker in self._groups:
                self._groups[key.broker].topics = {}
        return gone


class RemembersTheDead(RegistryTable):
    """The topics of a group whose last node has gone are taken for those of the next one by its name."""

    def __init__(self, expiry_ms: int) -> None:
        super().__init__(expiry_ms)
        self._versions: dict[str, tuple[int, dict[str, object]]] = {}

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        is_new = said.broker not in self._groups
        found = super().register(said, now_ms, connection)
        if is_new and found.is_taken and said.broker in self._versions:
            self._groups[said.broker].topics = dict(self._versions[said.broker][1])  # type: ignore[arg-type]
        if found.is_taken:
            group = self._groups[said.broker]
            self._versions[said.broker] = group.version, dict(group.topics)
        return found


class OneConnectionIsAGroups(RegistryTable):
    """With one connection, all nodes of that group are given up."""

    def closed(self, connection: int) -> tuple[NodeKey, ...]:
        hit = {key.broker for key, node in self._nodes() if node.connection == connection}
        return self._remove([key for key, _ in self._nodes() if key.broker in hit])


class EndedConnectionsCount(RegistryTable):
    """When an old connection is seen to end, the node that has come back by another one is given up."""

    def __init__(self, expiry_ms: int) -> None:
        super().__init__(expiry_ms)
        self._by: dict[int, NodeKey] = {}

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        self._by[connection] = said.key
        return super().register(said, now_ms, connection)

    def closed(self, connection: int) -> tuple[NodeKey, ...]:
        return self._remove([self._by[connection]] if connection in self._by else [])


class GoodbyeIsNotHeard(RegistryTable):
    """Only time, or a connection, ends a node."""

    def unregister(self, key: NodeKey) -> bool:
        return True


class OneQueueTooFew(RegistryTable):
    """Queues are counted from 1."""

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        fewer = tuple(replace(topic, queues=max(0, topic.queues - 1)) for topic in said.topics)
        return super().register(replace(said, topics=fewer), now_ms, connection)


WRONG = (
    TakesOlderTopics, NeverForgetsATopic, NeverExpires, ExpiresTooEarly, CountsFromTheFirstTime, ForgetsTheGroupWithItsFirstNode,
    RemembersTheDead, OneConnectionIsAGroups, EndedConnectionsCount, GoodbyeIsNotHeard, OneQueueTooFew,
)  # fmt: skip
