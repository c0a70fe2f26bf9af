"""What a group looks like from afar: so that a search by coverage knows what is new to it.

Roughly: which terms stand in each log, and how much of it is committed. Less roughly: also each node's role, term, and for whom
it voted. Names of nodes say nothing, and of terms only their order does: terms 1 and 2 look like terms 4 and 7.
"""

from collections.abc import Hashable

from mq.sim.explore.local import LocalStates
from mq.sim.explore.promises import Look

__all__ = ["Cells"]


class Cells:
    """Remembers, because the same nodes' states come again and again."""

    def __init__(self, states: LocalStates) -> None:
        self._states = states.states
        self._found: dict[tuple[int, ...], tuple[Hashable, Hashable]] = {}

    def of(self, nodes: tuple[int, ...]) -> tuple[Hashable, Hashable]:
        """The rough one and the less rough one."""
        found = self._found.get(nodes)
        if found is None:
            found = self._found[nodes] = self._look([self._states[number].look for number in nodes])
        return found

    def _look(self, looks: list[Look]) -> tuple[Hashable, Hashable]:
        terms = sorted({0, *(look.term for look in looks), *(entry.term for look in looks for entry in look.entries)})
        rank = {term: number for number, term in enumerate(terms)}
        log_terms = sorted({0, *(entry.term for look in looks for entry in look.entries)})
        log_rank = {term: number for number, term in enumerate(log_terms)}
        rough = sorted((tuple(log_rank[entry.term] for entry in look.entries), look.commit_index) for look in looks)
        fine = sorted(
            (tuple(rank[entry.term] for entry in look.entries), look.commit_index, look.role.value, rank[look.term], _voted(look))
            for look in looks
        )
        return tuple(rough), tuple(fine)


def _voted(look: Look) -> int:
    """0 for nobody, 1 for itself, 2 for another."""
    if look.vote is None:
        return 0
    return 1 if look.vote == look.node_id else 2
