"""Clients with one mistake each, of one function; each must be found by the world."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from mq.client.allocation import averagely, consistent_hash
from mq.client.choice import QueueChoice, RoundRobin
from mq.client.queues import QueueName
from mq.client.rebalance import Change, Rebalance
from mq.client.route_cache import RouteCache
from mq.sim.registry.members import ClientParts


def without_the_rest(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """Equal shares, and what does not come out even is nobody's."""
    each, at = len(queues) // len(members), members.index(member)
    return tuple(queues[at * each : (at + 1) * each])


def rest_for_all(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """Everybody rounds up."""
    each, at = -(-len(queues) // len(members)), members.index(member)
    return tuple(queues[at * each : (at + 1) * each]) or tuple(queues[-1:])


def from_oneself_on(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """Each counts the members from itself on, so that each is the first one."""
    at = members.index(member)
    return averagely(queues, (*members[at:], *members[:at]), member)


def hash_modulo(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """No ring: another number of members is another member for nearly all queues."""

    def owner(queue: QueueName) -> str:
        return members[int(hashlib.md5(str(queue).encode(), usedforsecurity=False).hexdigest(), 16) % len(members)]

    return tuple(queue for queue in queues if owner(queue) == member)


def ring_by_number(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """A ring of places in the list of members: whoever is behind one that goes stands somewhere else then."""
    numbers = [str(number) for number in range(len(members))]
    return consistent_hash(queues, numbers, str(members.index(member)))


class NeverGivesUp(Rebalance):
    """What it has, it keeps."""

    def look(self, queues: Sequence[QueueName], members: Sequence[str]) -> Change:
        before = self.own
        change = super().look(queues, members)
        self.own = tuple(sorted({*before, *self.own}))
        return Change((), change.take)


class LooksAtQueuesAlone(Rebalance):
    """Other members are no reason to work it out again."""

    _seen: tuple[QueueName, ...] = ()

    def look(self, queues: Sequence[QueueName], members: Sequence[str]) -> Change:
        if self.own and tuple(queues) == self._seen:
            return Change((), ())
        self._seen = tuple(queues)
        return super().look(queues, members)


class TakesBeforeItIsAMember(Rebalance):
    """It counts itself in, whatever the others know."""

    def look(self, queues: Sequence[QueueName], members: Sequence[str]) -> Change:
        return super().look(queues, [self._member])


class AsksOnce(RouteCache):
    """A route that is known is good for ever."""

    def due(self, now_ms: int) -> tuple[str, ...]:
        return tuple(topic for topic, known in self._known.items() if known.queues is None) if now_ms else ()


class GoesBackToTheSame(RoundRobin):
    """A message that failed may go to the broker group again that did not take it."""

    def choose(
        self, queues: Sequence[QueueName], now_ms: int, *, key: str = "", avoid: Collection[str] = ()
    ) -> QueueName:  # fmt: skip
        return super().choose(queues, now_ms, key=key)


class StaysAtTheFirst(QueueChoice):
    """Always the first queue of the route, whatever failed there."""

    def choose(
        self, queues: Sequence[QueueName], now_ms: int, *, key: str = "", avoid: Collection[str] = ()
    ) -> QueueName:  # fmt: skip
        return queues[0]


WRONG: Mapping[str, ClientParts] = {
    "without_the_rest": ClientParts(allocation=without_the_rest),
    "rest_for_all": ClientParts(allocation=rest_for_all),
    "from_oneself_on": ClientParts(allocation=from_oneself_on),
    "hash_modulo": ClientParts("consistent_hash", allocation=hash_modulo),
    "ring_by_number": ClientParts("consistent_hash", allocation=ring_by_number),
    "NeverGivesUp": ClientParts(rebalance=NeverGivesUp),
    "LooksAtQueuesAlone": ClientParts(rebalance=LooksAtQueuesAlone),
    "TakesBeforeItIsAMember": ClientParts(rebalance=TakesBeforeItIsAMember),
    "AsksOnce": ClientParts(cache=AsksOnce),
    "GoesBackToTheSame": ClientParts(choice=GoesBackToTheSame),
    "StaysAtTheFirst": ClientParts(choice=StaysAtTheFirst),
}
