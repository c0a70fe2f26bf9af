"""Which queues each consumer of a group reads: every consumer works it out alone, and all come to the same answer.

Nobody is asked. Each consumer knows all queues of the topic and the names of all consumers of its group, sorts both, and takes
its share. While two consumers see different lists (one has just joined), two of them may take one queue, or nobody does; that
ends as soon as both see the same.

RocketMQ: AllocateMessageQueueStrategy and its implementations, of the remoting clients.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from mq.client.queues import QueueName
from mq.core.errors import IllegalArgumentError

__all__ = [
    "ALLOCATIONS",
    "Allocation",
    "allocation",
    "averagely",
    "averagely_by_circle",
    "consistent_hash",
    "shares",
]

Allocation: TypeAlias = Callable[[Sequence[QueueName], Sequence[str], str], tuple[QueueName, ...]]
"""(all queues, all members, whose share is wanted) -> that share. Queues and members are sorted, and each there once."""

_VIRTUAL_NODES = 10
_HASH_BYTES = 4


def averagely(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """Neighbours together: the first members get one queue more when it does not come out even.

    RocketMQ: AllocateMessageQueueAveragely.
    """
    each, left_over = divmod(len(queues), len(members))
    at = members.index(member)
    begin = at * each + min(at, left_over)
    return tuple(queues[begin : begin + each + (at < left_over)])


def averagely_by_circle(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """Dealt out like cards, one queue to each member in turn. RocketMQ: AllocateMessageQueueAveragelyByCircle."""
    return tuple(queues[members.index(member) :: len(members)])


def consistent_hash(queues: Sequence[QueueName], members: Sequence[str], member: str) -> tuple[QueueName, ...]:
    """Each queue goes to the member that comes next on a ring of hashes, so that a member that leaves moves its own queues only.

    A member stands at ten places of the ring, which evens its share out a little; it may still get none.

    RocketMQ: AllocateMessageQueueConsistentHash.
    """
    places = {_hash(f"{name}-{number}"): name for name in members for number in range(_VIRTUAL_NODES)}
    ring = sorted(places)
    owners = ((queue, places[ring[bisect_left(ring, _hash(str(queue))) % len(ring)]]) for queue in queues)
    return tuple(queue for queue, owner in owners if owner == member)


def _hash(text: str) -> int:
    """The first four bytes of the MD5, as RocketMQ's ring takes them."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:_HASH_BYTES])


ALLOCATIONS: Mapping[str, Allocation] = MappingProxyType(
    {"averagely": averagely, "averagely_by_circle": averagely_by_circle, "consistent_hash": consistent_hash}
)
"""By the name that a consumer is told."""


def allocation(name: str) -> Allocation:
    """The strategy of that name. Raises: IllegalArgumentError."""
    if name not in ALLOCATIONS:
        raise IllegalArgumentError(f"allocation: {name!r} is none of {', '.join(ALLOCATIONS)}")
    return ALLOCATIONS[name]


def shares(strategy: Allocation, queues: Sequence[QueueName], members: Sequence[str]) -> dict[str, tuple[QueueName, ...]]:
    """What each member would take, by member; none when there are no members."""
    ordered, names = sorted(set(queues)), sorted(set(members))
    return {member: strategy(ordered, names, member) for member in names}
