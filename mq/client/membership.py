"""Who shares the queues of a topic, and when a consumer begins with those that fall to it.

A broker tells who was heard of lately. It may forget everybody for a moment, when another node leads; and who has just come is
known to the others only at their next look. So a member counts for one look longer than it is told of, and what falls to a
consumer is read one look later: by then the one who had it has seen the same, has given it up, and has told the broker how far it
was.
"""

from collections.abc import Sequence

from mq.client.allocation import Allocation
from mq.client.queues import QueueName
from mq.client.rebalance import Change, Rebalance

__all__ = ["Membership", "first_offset", "offset_within"]


class Membership:
    """One consumer's part in one topic. It is to look at equal intervals, which all members share."""

    def __init__(self, member: str, strategy: Allocation) -> None:
        self._member = member
        self._rebalance = Rebalance(member, strategy)
        self._told: frozenset[str] = frozenset()
        self._coming: frozenset[QueueName] = frozenset()
        self.own: frozenset[QueueName] = frozenset()

    def look(self, queues: Sequence[QueueName], told: Sequence[str]) -> Change:
        """What to give up and what to begin with now. told: the members of which a broker has heard. own: what is read then."""
        members = {*told, *self._told, self._member}
        self._told = frozenset(told)
        self._rebalance.look(queues, sorted(members))
        wanted = frozenset(self._rebalance.own)
        begun = (self._coming & wanted) - self.own
        new = wanted - self.own - begun
        if members == {self._member}:  # nobody has it
            begun, new = begun | new, frozenset()
        drop = self.own - wanted
        self._coming, self.own = new, (self.own - drop) | begun
        return Change(tuple(sorted(drop)), tuple(sorted(begun)))


def first_offset(known: int | None, ends: tuple[int, int], start: str) -> int:
    """Where to begin in a queue. known: how far the group is, if it ever was there. start: otherwise, `earliest` or `latest`.

    ends: the lowest offset that is kept, and the next one to be given.
    """
    if known is None:
        return ends[1] if start == "latest" else ends[0]
    return offset_within(known, ends)


def offset_within(offset: int, ends: tuple[int, int]) -> int:
    """The nearest offset that the queue has: what lies below was forgotten, and above there is nothing yet."""
    return min(max(offset, ends[0]), ends[1])
