"""What a consumer gives up and takes when the queues of a topic, or the members of its group, are others than before.

Each member works it out alone (`mq.client.allocation`). It gives up first and takes then, so that for a while a queue may be
nobody's; it is two members' only while one of them sees an older list than the other.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mq.client.allocation import Allocation
from mq.client.queues import QueueName

__all__ = ["Change", "Rebalance", "moves"]


class Change(NamedTuple):
    """Queues to be given up at once, with their progress told to the broker, and queues to be taken then."""

    drop: tuple[QueueName, ...]
    take: tuple[QueueName, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to be done."""
        return bool(self.drop or self.take)


class Rebalance:
    """One consumer's part in one topic. own: the queues that it reads now, sorted."""

    def __init__(self, member: str, strategy: Allocation) -> None:
        self._member, self._strategy = member, strategy
        self.own: tuple[QueueName, ...] = ()

    def look(self, queues: Sequence[QueueName], members: Sequence[str]) -> Change:
        """What follows from these lists. A consumer that is not among the members yet takes nothing, and keeps nothing."""
        names = sorted(set(members))
        wanted: tuple[QueueName, ...] = ()
        if self._member in names:
            wanted = tuple(sorted(self._strategy(sorted(set(queues)), names, self._member)))
        had = set(self.own)
        change = Change(tuple(q for q in self.own if q not in wanted), tuple(q for q in wanted if q not in had))
        self.own = wanted
        return change


def moves(before: Mapping[str, Sequence[QueueName]], after: Mapping[str, Sequence[QueueName]]) -> int:
    """How many queues have another owner than before; queues that came or went are not counted.

    Each is a reader that stops, and another one that begins where the first one was.
    """
    owners = {queue: member for member, share in before.items() for queue in share}
    return sum(owners.get(queue, member) != member for member, share in after.items() for queue in share)
