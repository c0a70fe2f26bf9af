"""Links between nodes as they are between processes: TCP connections. They delay, they break, and they never reorder or repeat.

A slave goes by that: a master that goes back behind what is kept has been refused before (`mq.broker.replication.slave`).
"""

from collections.abc import Callable
from heapq import heappush
from random import Random

from mq.raft.messages import Message
from mq.sim.group.agenda import Agenda
from mq.sim.group.network import Link, Network, NetworkOptions
from mq.sim.group.trace import GroupTrace

__all__ = ["OrderedNetwork"]


class OrderedNetwork(Network):
    """lives: of each node; what was on its way to or from an earlier life of one is lost."""

    __slots__ = ("_arrivals", "_sent_in", "lives")

    def __init__(
        self, agenda: Agenda, trace: GroupTrace, rng: Random, options: NetworkOptions, deliver: Callable[[int, Message], None]
    ) -> None:
        super().__init__(agenda, trace, rng, options, deliver)
        self._arrivals: dict[Link, int] = {}
        self._sent_in: dict[int, tuple[int, int]] = {}
        self.lives: dict[int, int] = {}

    def _carry(self, number: int, message: Message) -> None:
        link, options, agenda = (message[0], message[1]), self.options, self._agenda
        at_ms = agenda.now_ms + options.delay_ms + int(self._random() * options.spread_ms)
        at_ms = self._arrivals[link] = max(at_ms, self._arrivals.get(link, 0))
        self._sent_in[number] = self._lives_of(link)
        agenda.number = order = agenda.number + 1
        heappush(agenda.heap, (at_ms, order, self._deliver, number, message))

    def still_stands(self, number: int, message: Message) -> bool:
        """Whether the connection that a message left by is still there when it arrives."""
        return self._sent_in.pop(number, None) == self._lives_of((message[0], message[1]))

    def _lives_of(self, link: Link) -> tuple[int, int]:
        return self.lives.get(link[0], 0), self.lives.get(link[1], 0)
