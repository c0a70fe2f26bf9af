"""The network of a group: it delays, loses, repeats, reorders, and it can be cut or held back one way at a time.

Paper: Raft, section 2: consensus must bear with "network delays, partitions, and packet loss, duplication, and reordering".
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappush
from random import Random
from typing import TypeAlias

from mq.raft.messages import Message
from mq.sim.group.agenda import Agenda
from mq.sim.group.trace import GroupTrace

__all__ = ["Link", "Network", "NetworkOptions"]

Link: TypeAlias = tuple[int, int]
"""From one node id to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """delay_ms to delay_ms + spread_ms on the way, and ten times as long for stragglers. Probabilities: of each message."""

    delay_ms: int = 1
    spread_ms: int = 4
    loss_probability: float = 0.0
    repeat_probability: float = 0.0
    straggler_probability: float = 0.0


class Network:
    """Each message has a number of its own; one that is repeated arrives twice under it.

    cut, held: the links that lose, or hold back, and how many faults want that. deliver: called with a message's number and the
    message. counts: "cuts" are links that lost something while they were cut: one that nobody spoke over proves nothing.
    """

    __slots__ = ("_agenda", "_bitten", "_deliver", "_note", "_random", "_waiting", "counts", "cut", "held", "options")

    def __init__(
        self, agenda: Agenda, trace: GroupTrace, rng: Random, options: NetworkOptions, deliver: Callable[[int, Message], None]
    ) -> None:
        self._agenda, self._note, self._random, self._deliver = agenda, trace.note, rng.random, deliver
        self.options = options
        self.cut: dict[Link, int] = {}
        self.held: dict[Link, int] = {}
        self._bitten: set[Link] = set()
        self._waiting: dict[Link, list[tuple[int, Message]]] = {}
        self.counts = {"sent": 0, "lost": 0, "repeated": 0, "held": 0, "cuts": 0}

    def send(self, message: Message) -> None:
        """A message leaves its node."""
        counts, options, agenda = self.counts, self.options, self._agenda
        counts["sent"] = number = counts["sent"] + 1
        sender, to = link = message[0], message[1]
        self._note((agenda.now_ms, sender, "send", number, message))
        if self.cut and link in self.cut:
            if link not in self._bitten:
                self._bitten.add(link)
                counts["cuts"] += 1
            self.lose(number, "cut")
        elif self.held and link in self.held:
            counts["held"] += 1
            self._waiting.setdefault((sender, to), []).append((number, message))
        elif options.loss_probability and self._random() < options.loss_probability:
            self.lose(number, "chance")
        else:
            self._carry(number, message)
            if options.repeat_probability and self._random() < options.repeat_probability:
                counts["repeated"] += 1
                self._carry(number, message)

    def _carry(self, number: int, message: Message) -> None:
        options, agenda = self.options, self._agenda
        delay_ms = options.delay_ms + int(self._random() * options.spread_ms)
        if options.straggler_probability and self._random() < options.straggler_probability:
            delay_ms *= 10
        agenda.number = order = agenda.number + 1
        heappush(agenda.heap, (agenda.now_ms + delay_ms, order, self._deliver, number, message))

    def lose(self, number: int, why: str) -> None:
        """A message never arrives."""
        self.counts["lost"] += 1
        self._note((self._agenda.now_ms, 0, "lose", number, why))

    # --- faults

    def cut_off(self, links: set[Link]) -> None:
        """Messages on these links are lost from now on; those that left already still arrive."""
        for link in sorted(links):
            if link not in self.cut:
                self._note((self._agenda.now_ms, 0, "cut", f"n{link[0]}", f"n{link[1]}"))
            self.cut[link] = self.cut.get(link, 0) + 1

    def mend(self, links: set[Link]) -> None:
        """They get through again, unless another cut goes on."""
        for link in sorted(links & self.cut.keys()):
            if _is_last(self.cut, link):
                self._bitten.discard(link)
                self._note((self._agenda.now_ms, 0, "mend", f"n{link[0]}", f"n{link[1]}"))

    def hold(self, links: set[Link]) -> None:
        """Messages on these links wait from now on."""
        for link in sorted(links):
            if link not in self.held:
                self._note((self._agenda.now_ms, 0, "hold", f"n{link[0]}", f"n{link[1]}"))
            self.held[link] = self.held.get(link, 0) + 1

    def release(self, links: set[Link]) -> None:
        """What was held back on these links arrives, each message after a delay of its own: so, in any order."""
        for link in sorted(links & self.held.keys()):
            if _is_last(self.held, link):
                self._note((self._agenda.now_ms, 0, "release", f"n{link[0]}", f"n{link[1]}"))
                for number, message in self._waiting.pop(link, ()):
                    self._carry(number, message)

    def heal(self) -> None:
        """Nothing is cut or held back any more, whoever wanted it."""
        self.cut, self.held = dict.fromkeys(self.cut, 1), dict.fromkeys(self.held, 1)
        self.mend(set(self.cut))
        self.release(set(self.held))


def _is_last(faults: dict[Link, int], link: Link) -> bool:
    """One fault of a link ends."""
    faults[link] -= 1
    if faults[link]:
        return False
    del faults[link]
    return True
