"""The registry's world with clients in it: they find brokers by registry nodes, come, go and crash, and share a topic's queues.

A consumer asks for the route from time to time, tells each broker group in it that it is alive, asks one of them who else is, and
works out its share alone. While lists differ, two may read one queue, or nobody; soon after changes stop each queue has one
reader. A producer that has a living group in its route, and fewer dead ones than attempts, gets rid of its message.
"""

from collections import Counter
from typing import Any

from mq.client.errors import UnreachableError
from mq.client.producing import Delivery
from mq.client.queues import QueueName
from mq.client.rebalance import moves
from mq.core.errors import MqError
from mq.sim.registry.brokers import SimGroup
from mq.sim.registry.members import ClientParts, SimConsumer, SimProducer, known_queues, readable
from mq.sim.registry.world import BrokenRouteError, RegistryWorld

__all__ = ["BrokenClientError", "ClientWorld"]

_TOPIC = "orders"
_TICK_MS, _SEND_EVERY_MS = 1_000, 150
_CLIENT_EXPIRY_MS, _SETTLE_MS = 4_000, 8_000
_CONSUMERS_MAX, _STEPS_MAX = 8, 400_000


class BrokenClientError(BrokenRouteError):
    """A promise of the clients was broken. The text: which one, when, and the two facts that conflict."""


class ClientWorld(RegistryWorld):
    """parts: what the clients decide by. moved: how many queues got another reader, by what happened to the consumers."""

    def __init__(self, seed: int, parts: ClientParts | None = None, *, groups: int = 3, run_ms: int = 40_000) -> None:
        super().__init__(seed, groups=groups, run_ms=run_ms)
        self._parts = parts or ClientParts()
        self._shares = self._parts.shares()
        self.consumers: list[SimConsumer] = []
        self.producers = [
            SimProducer(f"p{n}", self._parts.cache(_TICK_MS), self._parts.choice(self._random.randrange)) for n in (1, 2)
        ]
        self._members: dict[str, dict[str, int]] = {group.name: {} for group in self.groups}  # at a group: when heard of
        self.moved: Counter[str] = Counter()

    # --- the run

    def run(self) -> None:
        """To its end, and then some changes of the consumers one by one. Raises: BrokenRouteError."""
        for _ in range(self._random.randint(2, 5)):
            self._join()
        for producer in self.producers:
            self.agenda.at(self._random.randint(0, _TICK_MS), self._send, producer)
        self.agenda.at(self._random.randint(500, 2_000), self._client_strike)
        super().run()
        self._settle("")
        for what in ("crash", "join", "leave"):
            before = {one.name: one.own for one in self.consumers if one.is_alive}
            if what == "join":
                changed = self._join()
            elif len(before) > 1:
                changed = self._end(says_goodbye=what == "leave")
            else:
                continue
            self._settle(what)
            self._count_moves(what, changed.name, before)

    def _settle(self, what: str) -> None:
        if what:
            self.agenda.run(self.agenda.now_ms + _SETTLE_MS, _STEPS_MAX)
        self._check_shares(what or "the storm")

    def _rest(self) -> None:
        """Something is left to be shared."""
        if not self._truth():
            for group in self.groups:
                group.change(_TOPIC, group.topics.get(_TOPIC, 0) or 2)
            for node in self.nodes:
                self._start(node, None)
        super()._rest()

    # --- consumers

    def _join(self) -> SimConsumer:
        cache, number = self._parts.cache(_TICK_MS), len(self.consumers) + 1
        name = f"c{self._random.randrange(100):02}-{number}"
        made = SimConsumer(name, cache, self._parts.rebalance(name, self._shares))
        self.consumers.append(made)
        self._tell(f"joins {name}")
        self.agenda.at(self.agenda.now_ms, self._tick, made)
        return made

    def _end(self, *, says_goodbye: bool) -> SimConsumer:
        consumer = self._random.choice([one for one in self.consumers if one.is_alive])
        self._tell(f"{'parts from' if says_goodbye else 'breaks'} {consumer.name}")
        if says_goodbye:
            for members in self._members.values():
                members.pop(consumer.name, None)
        consumer.is_alive = False
        return consumer

    def _tick(self, consumer: SimConsumer, _: object) -> None:
        """A consumer's second: the route, a sign of life to each group of it, who else there is, and its share."""
        if not consumer.is_alive:
            return
        queues = readable(self._route_of(consumer))
        for broker in sorted({queue.broker for queue in queues}):
            self.agenda.at(self.agenda.now_ms + self._delay_ms(), self._beats, consumer, broker)
        asked = next((one for one in sorted({queue.broker for queue in queues}) if self._is_up(one)), None)
        if asked is not None:
            consumer.members = tuple(sorted(self._members[asked]))
        consumer.view = (queues, consumer.members)
        consumer.rebalance.look(queues, consumer.members)
        self._check_views(consumer)
        self.agenda.at(self.agenda.now_ms + _TICK_MS + self._random.randrange(20), self._tick, consumer)

    def _beats(self, consumer: SimConsumer, broker: str) -> None:
        if consumer.is_alive and self._is_up(broker):
            self._members[broker][consumer.name] = self.agenda.now_ms

    def _route_of(self, client: SimConsumer | SimProducer) -> Any:
        """As the client knows it; asked for at a registry node when it is due. Some questions are lost."""
        now_ms = self.agenda.now_ms
        try:
            known = client.routes.queues(_TOPIC)
        except (KeyError, MqError):
            known = None
        if known is None or _TOPIC in client.routes.due(now_ms):
            registry = self._random.choice(self.registries)
            route = registry.table.route(_TOPIC)
            is_lost = now_ms < self._run_ms and self._random.random() < 0.1
            if route is None or is_lost:
                client.routes.failed(_TOPIC, UnreachableError("no registry told"), now_ms)
            else:
                client.routes.told(_TOPIC, known_queues(route), now_ms)
        try:
            return client.routes.queues(_TOPIC)
        except (KeyError, MqError):
            return ()

    def _is_up(self, broker: str) -> bool:
        """Whether a broker group answers. What it noted of clients dies with it, and what is old goes."""
        members = self._members[broker]
        if not any(node.group.name == broker and node.started_ms is not None for node in self.nodes):
            members.clear()
            return False
        for name in [name for name, heard_ms in members.items() if self.agenda.now_ms - heard_ms > _CLIENT_EXPIRY_MS]:
            del members[name]
        return True

    # --- producers

    def _send(self, producer: SimProducer, _: object) -> None:
        queues = [one.name for one in self._route_of(producer) if one.is_writable]
        brokers = {queue.broker for queue in queues}
        dead = {broker for broker in brokers if not self._is_up(broker)}
        if queues:
            error = self._try_to_send(producer, queues, dead)
            producer.sent += error is None
            if error is not None and brokers - dead and len(dead) < producer.attempts_max:
                self._fail_client(
                    "a message fails only when no living group was among those that it could be sent to",
                    f"{producer.name} gave up: {error}", f"of {sorted(brokers)} dead are {sorted(dead)}",
                )  # fmt: skip
        self.agenda.at(self.agenda.now_ms + _SEND_EVERY_MS, self._send, producer)

    def _try_to_send(self, producer: SimProducer, queues: list[QueueName], dead: set[str]) -> MqError | None:
        delivery, error = Delivery(), None
        while error is None:
            queue = producer.producing.next_queue(delivery, queues, self.agenda.now_ms)
            if queue.broker not in dead:
                producer.producing.done(delivery, self.agenda.now_ms)
                return None
            error = producer.producing.failed(delivery, UnreachableError(f"{queue.broker} is dead"), self.agenda.now_ms)
        return error

    # --- what happens

    def _client_strike(self, _one: object, _two: object) -> None:
        if self.agenda.now_ms >= self._run_ms:
            return
        alive = sum(one.is_alive for one in self.consumers)
        if alive < 2 or (alive < _CONSUMERS_MAX and self._random.random() < 0.5):
            self._join()
        else:
            self._end(says_goodbye=self._random.random() < 0.5)
        self.agenda.at(self.agenda.now_ms + self._random.randint(300, 4_000), self._client_strike)

    # --- promises

    def _check_views(self, consumer: SimConsumer) -> None:
        """At any moment: who goes by the same lists takes nothing of what the other one takes."""
        for other in self.consumers:
            both = set(other.own) & set(consumer.own)
            if other is not consumer and other.view == consumer.view and both:
                self._fail_client(
                    "two consumers that see the same queues and members never read one queue",
                    f"{consumer.name} and {other.name} read {_shown(both)}", f"both see members {', '.join(consumer.members)}",
                )  # fmt: skip

    def _truth(self) -> set[QueueName]:
        """The queues that there are: of each group that lives."""
        living = {node.group.name for node in self.nodes if node.started_ms is not None}

        def count(group: SimGroup) -> int:
            return group.topics.get(_TOPIC, 0) if group.name in living else 0

        return {QueueName(_TOPIC, group.name, number) for group in self.groups for number in range(count(group))}

    def _check_shares(self, what: str) -> None:
        """In steady state."""
        truth, alive = self._truth(), [one for one in self.consumers if one.is_alive]
        for one in alive:
            if set(one.view[0]) != truth:
                self._fail_client(
                    f"routes become right after {what}",
                    f"{one.name} knows {_shown(set(one.view[0]))}",
                    f"there are {_shown(truth)}",
                )
        readers = Counter(queue for one in alive for queue in one.own)
        if twice := {queue for queue, count in readers.items() if count > 1}:
            self._fail_client(f"after {what} no queue has two readers", f"two have {_shown(twice)}", self._shown_shares(alive))
        if unread := truth - set(readers):
            self._fail_client(f"after {what} each queue has a reader", f"nobody has {_shown(unread)}", self._shown_shares(alive))
        self.met["steady"] = self.met.get("steady", 0) + 1

    def _count_moves(self, what: str, changed: str, before: dict[str, tuple[QueueName, ...]]) -> None:
        """How many queues got another reader. With a consistent hash none but those of who came or went."""
        after = {one.name: one.own for one in self.consumers if one.is_alive}
        moved = moves(before, after)
        self.moved[what] += moved
        share = len(after[changed]) if what == "join" else len(before[changed])
        if self._parts.strategy == "consistent_hash" and moved > share:
            self._fail_client(
                "with a consistent hash only the queues of who comes or goes get another reader",
                f"{moved} did by {what} of {changed}", f"its own were {share} of {len(self._truth())}",
            )  # fmt: skip

    @staticmethod
    def _shown_shares(alive: list[SimConsumer]) -> str:
        return "; ".join(f"{one.name}: {_shown(set(one.own))}" for one in alive)

    def _fail_client(self, promise: str, one: str, other: str) -> None:
        story = "\n".join(self.story[-25:])
        raise BrokenClientError(f"{promise}; {self.agenda.now_ms} ms: {one}; {other}\nseed {self.seed}:\n{story}")


def _shown(queues: set[QueueName]) -> str:
    return " ".join(f"{queue.broker[-1]}{queue.queue_id}" for queue in sorted(queues)) or "none"
