"""Registry nodes among brokers that crash, restart, join and change their topics, over a network that delays, repeats and loses.

One seed gives one run. A registry node is the product's own table (or somebody's in its place); brokers say to it what the
product's say, at the product's times. After a while nothing changes any more, and soon after that all routes must be right.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from mq.core.errors import StateError
from mq.registry.registration import NodeKey, Registration, RegistryTimes
from mq.registry.route import Route
from mq.registry.table import Registered, RegistryTable
from mq.registry.view import RegistryView
from mq.sim.group.agenda import Agenda
from mq.sim.registry.brokers import SimGroup, SimNode

__all__ = ["BrokenRouteError", "RegistryWorld", "Table"]

_TOPICS = ("orders", "payments", "mails")
_QUEUES_MAX = 6
_STEPS_MAX = 200_000


class Table(Protocol):
    """What the world asks of a registry's memory; see `mq.registry.table.RegistryTable`."""

    def register(self, said: Registration, now_ms: int, connection: int = 0) -> Registered:
        """A node says what it is."""

    def unregister(self, key: NodeKey) -> bool:
        """A node says goodbye."""

    def closed(self, connection: int) -> Sequence[NodeKey]:
        """A connection broke."""

    def expire(self, now_ms: int) -> Sequence[NodeKey]:
        """Time has passed."""

    def route(self, topic: str) -> Route | None:
        """Where a topic is."""

    def view(self, now_ms: int) -> RegistryView:
        """All of it."""


class BrokenRouteError(StateError):
    """A promise of the registry was broken. The text: which one, when, and the two facts that conflict."""


class _Registry:
    """One registry node. table: of its present life. heard: (node -> when it was last heard of), as this world knows it."""

    def __init__(self, number: int, table: Table) -> None:
        self.number, self.table, self.life = number, table, 0
        self.heard: dict[NodeKey, int] = {}
        self.lines: dict[NodeKey, int] = {}  # the connection that is open to each node
        self.by: dict[NodeKey, int] = {}  # the connection by which each registered last
        self.versions: dict[str, int] = {}  # of the groups that it knows now


class RegistryWorld:
    """make: a registry's memory, given its expiry in ms. run_ms: for how long things change. met: how often what happened."""

    def __init__(
        self,
        seed: int,
        *,
        make: Callable[[int], Table] = RegistryTable,
        registries: int = 2,
        groups: int = 3,
        run_ms: int = 60_000,
    ) -> None:
        self.seed, self._make, self._run_ms = seed, make, run_ms
        self._random, self.agenda = Random(seed), Agenda()  # noqa: S311
        self.times = RegistryTimes.fast()
        self.registries = [_Registry(number, make(self.times.expiry_ms)) for number in range(1, registries + 1)]
        self.groups = [SimGroup(f"broker-{chr(ord('a') + number)}") for number in range(groups)]
        self.nodes = [
            SimNode(group, number, count)
            for group in self.groups
            for count in [self._random.choice((1, 3))]
            for number in range(1, count + 1)
        ]
        self._connections = 0
        self._cut: set[tuple[int, NodeKey]] = set()
        self.met: dict[str, int] = {}
        self.story: list[str] = []

    # --- the run

    def run(self) -> None:
        """To its end. Raises: BrokenRouteError."""
        for group in self.groups:
            group.change("orders", self._random.randint(1, _QUEUES_MAX))
        for node in self.nodes:
            self.agenda.at(self._random.randint(0, 5_000), self._start, node)
        for registry in self.registries:
            self.agenda.at(self.times.scan_every_ms, self._scan, registry)
        self.agenda.at(self._random.randint(500, 2_000), self._strike)
        self.agenda.run(self._run_ms, _STEPS_MAX)
        self._rest()
        self.agenda.run(self._run_ms + 3 * self.times.expiry_ms, _STEPS_MAX)
        for registry in self.registries:
            self._check_right(registry)

    def _rest(self) -> None:
        """Nothing is cut any more, and who is dead stays so; the others have all of their group's log."""
        self._cut.clear()
        for node in self.nodes:
            if node.started_ms is not None:
                self._apply(node, len(node.group.log) - 1)

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.agenda.now_ms:>7} ms  {what}")
        word = what.split(" ", 1)[0]
        self.met[word] = self.met.get(word, 0) + 1

    # --- brokers

    def _start(self, node: SimNode, _: object) -> None:
        if node.started_ms is not None:
            return
        node.started_ms, node.said = self.agenda.now_ms, 0
        self._tell(f"starts {node.key}")
        for registry in self.registries:
            self._dial(registry, node)
        self.agenda.at(self.agenda.now_ms + self.times.register_every_ms, self._beat, node, node.started_ms)

    def _crash(self, node: SimNode) -> None:
        """Its connections break, and registries hear of that, but for those that are cut off from it."""
        self._tell(f"crashes {node.key}")
        node.started_ms = None
        for registry in self.registries:
            connection = registry.lines.pop(node.key, None)
            if connection is not None and (registry.number, node.key) not in self._cut:
                self.agenda.at(self.agenda.now_ms + self._delay_ms(), self._closed, registry, (registry.life, connection))

    def _leave(self, node: SimNode) -> None:
        """A goodbye, and then the end."""
        self._tell(f"leaves {node.key}")
        for registry in self.registries:
            if (registry.number, node.key) not in self._cut and node.key in registry.lines:
                self._goodbye(registry, node.key)
        node.started_ms = None
        for registry in self.registries:
            registry.lines.pop(node.key, None)

    def _dial(self, registry: _Registry, node: SimNode) -> None:
        if (registry.number, node.key) not in self._cut:
            self._connections += 1
            registry.lines[node.key] = self._connections
            self._say(registry, node)

    def _beat(self, node: SimNode, life: Any) -> None:
        """From time to time; a line that is gone is made anew."""
        if node.started_ms != life:
            return
        for registry in self.registries:
            if node.key not in registry.lines:
                self._dial(registry, node)
            else:
                self._say(registry, node)
        self.agenda.at(self.agenda.now_ms + self.times.register_every_ms, self._beat, node, life)

    def _say(self, registry: _Registry, node: SimNode) -> None:
        """Over a line nothing is lost or overtaken but by its end; behind a cut everything is. Now and then it comes twice."""
        if (registry.number, node.key) in self._cut:
            return
        said, connection = node.registration(), registry.lines[node.key]
        for _ in range(2 if self._random.random() < 0.05 else 1):
            self.agenda.at(self.agenda.now_ms + self._delay_ms(), self._hears, registry, (registry.life, connection, said))

    def _apply(self, node: SimNode, version: int) -> None:
        if version > node.version:
            node.version = version
            for registry in self.registries:
                if node.key in registry.lines:
                    self._say(registry, node)

    def _delay_ms(self) -> int:
        return self._random.choice((1, 2, 5, 20, 100, 400))

    # --- registries

    def _hears(self, registry: _Registry, what: Any) -> None:
        life, connection, said = what
        node = next(node for node in self.nodes if node.key == said.key)
        is_open = registry.lines.get(said.key) == connection
        if life != registry.life or not is_open or said.serial.started_ms != node.started_ms:
            return  # what was on its way when a line broke is lost with it
        if registry.table.register(said, self.agenda.now_ms, connection).is_taken:
            registry.heard[said.key], registry.by[said.key] = self.agenda.now_ms, connection
        self._check(registry)

    def _closed(self, registry: _Registry, what: Any) -> None:
        life, connection = what
        if life == registry.life:
            last = {key for key in registry.heard if registry.by[key] == connection}
            gone = set(registry.table.closed(connection))
            if gone != last:
                self._fail(
                    registry, "with a connection go the nodes that registered by it last, and no others",
                    f"given up were {sorted(map(str, gone))}", f"by connection {connection} came {sorted(map(str, last))}",
                )  # fmt: skip
            for key in gone:
                del registry.heard[key]
            self._check(registry)

    def _goodbye(self, registry: _Registry, key: NodeKey) -> None:
        registry.table.unregister(key)
        registry.heard.pop(key, None)
        self._check(registry)

    def _scan(self, registry: _Registry, _: object) -> None:
        for key in registry.table.expire(self.agenda.now_ms):
            silent_ms = self.agenda.now_ms - registry.heard.pop(key, -self.times.expiry_ms)
            if silent_ms < self.times.expiry_ms:
                self._fail(
                    registry,
                    "who was heard of within the expiry is not given up",
                    f"{key} was given up",
                    f"it was silent for {silent_ms} ms",
                )
            self._tell(f"expires {key} at registry {registry.number}")
        self._check(registry)
        self.agenda.at(self.agenda.now_ms + self.times.scan_every_ms, self._scan, registry)

    def _restart(self, registry: _Registry) -> None:
        """Another process in its place, which knows nothing; brokers notice that their lines are gone, and come back."""
        self._tell(f"restarts registry {registry.number}")
        registry.table, registry.life = self._make(self.times.expiry_ms), registry.life + 1
        registry.heard.clear()
        registry.lines.clear()
        registry.versions.clear()

    # --- what happens

    def _strike(self, _one: object, _two: object) -> None:
        if self.agenda.now_ms >= self._run_ms:
            return
        rng = self._random
        alive = [node for node in self.nodes if node.started_ms is not None]
        dead = [node for node in self.nodes if node.started_ms is None]
        match rng.randrange(9):
            case 0 | 1 if alive:
                self._crash(rng.choice(alive))
            case 2 if alive:
                self._leave(rng.choice(alive))
            case 3 | 4 if dead:
                self._start(rng.choice(dead), None)
            case 5:
                self._restart(rng.choice(self.registries))
            case 6:
                self._define(rng.choice(self.groups))
            case 7 if alive:
                node, registry = rng.choice(alive), rng.choice(self.registries)
                self._tell(f"cuts {node.key} off from registry {registry.number}")
                self._cut.add((registry.number, node.key))
            case 8:
                self._tell("heals all cuts")
                self._cut.clear()
        self.agenda.at(self.agenda.now_ms + rng.randint(50, 3_000), self._strike)

    def _define(self, group: SimGroup) -> None:
        """A topic is made, widened or deleted; the nodes of the group apply it one by one."""
        topic = self._random.choice(_TOPICS)
        had = group.topics.get(topic, 0)
        queues = 0 if had and self._random.random() < 0.3 else min(_QUEUES_MAX, had + self._random.randint(1, 2))
        group.change(topic, queues)
        self._tell(f"defines {topic} at {group.name}: {queues} queues, version {len(group.log) - 1}")
        for node in self.nodes:
            if node.group is group and node.started_ms is not None:
                self.agenda.at(self.agenda.now_ms + self._delay_ms(), self._applies, node, (node.started_ms, len(group.log) - 1))

    def _applies(self, node: SimNode, what: Any) -> None:
        life, version = what
        if node.started_ms == life:
            self._apply(node, version)

    # --- promises

    def _check(self, registry: _Registry) -> None:
        """What holds at any moment, of every route that this registry node would give now."""
        view = registry.table.view(self.agenda.now_ms)
        shown = {NodeKey(group.name, node.node) for group in view.groups for node in group.nodes}
        if shown != set(registry.heard):
            self._fail(
                registry, "a registry knows the nodes that it heard of and that have not gone, and no others",
                f"it shows {sorted(map(str, shown))}", f"it has heard of {sorted(map(str, registry.heard))}",
            )  # fmt: skip
        oldest_ms = min(registry.heard.values(), default=self.agenda.now_ms)
        if self.agenda.now_ms - oldest_ms > self.times.expiry_ms + self.times.scan_every_ms:
            self._fail(
                registry,
                "who is silent for too long is given up",
                f"somebody is known who was heard of at {oldest_ms} ms",
                "nobody gave it up",
            )
        newest = {group.name: group.version for group in view.groups}
        for name, version in newest.items():
            if version < registry.versions.get(name, 0):
                self._fail(
                    registry, "what a broker group was known to have is never replaced by what it had before",
                    f"version {registry.versions[name]} of {name} was known", f"now it is version {version}",
                )  # fmt: skip
        registry.versions = newest
        for topic in _TOPICS:
            route = registry.table.route(topic)
            counts: dict[str, int] = {}
            for queue in route.queues if route is not None else ():
                counts[queue.broker] = counts.get(queue.broker, 0) + 1
            for group in self.groups:
                if group.name in newest and counts.get(group.name, 0) != group.log[newest[group.name]].get(topic, 0):
                    self._fail(
                        registry, "a route lists what a broker group had at one moment, whole",
                        f"{counts.get(group.name, 0)} queues of {topic} at {group.name}",
                        f"it had {group.log[newest[group.name]].get(topic, 0)} at version {newest[group.name]}",
                    )  # fmt: skip
                if group.name in counts and group.name not in newest:
                    self._fail(
                        registry,
                        "a route lists no queue of a group that is not there",
                        f"queues of {topic} at {group.name}",
                        "no node of it is known",
                    )

    def _check_right(self, registry: _Registry) -> None:
        """When nothing has changed for a while: who is alive is known, and with its newest topics."""
        alive = {node.key for node in self.nodes if node.started_ms is not None}
        if set(registry.heard) != alive:
            self._fail(
                registry, "routes become right after changes stop", f"it knows {sorted(map(str, registry.heard))}",
                f"alive are {sorted(map(str, alive))}",
            )  # fmt: skip
        for group in self.groups:
            if any(key.broker == group.name for key in alive):
                for topic in _TOPICS:
                    route = registry.table.route(topic)
                    count = sum(queue.broker == group.name for queue in route.queues) if route is not None else 0
                    if count != group.topics.get(topic, 0):
                        self._fail(
                            registry, "routes become right after changes stop", f"{count} queues of {topic} at {group.name}",
                            f"it has {group.topics.get(topic, 0)}",
                        )  # fmt: skip

    def _fail(self, registry: _Registry, promise: str, one: str, other: str) -> None:
        story = "\n".join(self.story[-25:])
        raise BrokenRouteError(
            f"{promise}; registry {registry.number}, {self.agenda.now_ms} ms: {one}; {other}\nseed {self.seed}:\n{story}"
        )
