"""One name for all states that differ only in which node is which.

The nodes of a group are alike, so six states of three nodes are one. Which of the six names is taken is settled by what each node
looks like to itself (it is "me", all others are "other"); where that leaves two alike, both orders are tried.
"""

from collections.abc import Hashable, Mapping
from itertools import permutations, product

from mq.sim.explore.freezing import freeze
from mq.sim.explore.history import History
from mq.sim.explore.local import LocalStates
from mq.sim.explore.scope import Scope

__all__ = ["Symmetry", "pair_key"]


def pair_key(one: tuple[int, ...], other: tuple[int, ...], numbers: dict[tuple[int, ...], int]) -> int:
    """Two numbers in one, for what stands at one side and at the other; numbers: that were given so far."""
    return numbers.setdefault(one, len(numbers)) << 30 | numbers.setdefault((-1, *other), len(numbers))


class Symmetry:
    """Numbers for names; the same one for a node's state, a message or a past that another one becomes by a renaming."""

    def __init__(self, states: LocalStates, history: History, scope: Scope) -> None:
        self._states, self._history, self._ids = states, history, scope.ids
        self._numbers: dict[Hashable, int] = {}
        self._node_names: dict[tuple[int, tuple[int, ...]], int] = {}
        self._message_names: dict[tuple[int, tuple[int, ...]], int] = {}
        self._past_names: dict[tuple[int, tuple[int, ...]], int] = {}
        self._classes: dict[int, int] = {}
        self._parts: dict[tuple[int, ...], int] = {}
        self._orders: dict[tuple[int, ...], list[tuple[int, ...]]] = {}

    def key(self, nodes: tuple[int, ...], messages: tuple[int, ...], past: int, rest: int) -> int:
        """A number for the state and all that differ from it in the nodes' names alone. rest: in which no node is named."""
        orders = self._orders.get(nodes)
        if orders is None:
            orders = self._orders[nodes] = self._possible_orders(nodes)
        if len(orders) == 1:
            renamed, found = self._renamed(nodes, messages, past, orders[0])
        else:
            renamed, found = min(self._renamed(nodes, messages, past, order) for order in orders)
        return pair_key((*renamed, rest), found, self._parts)

    def _possible_orders(self, nodes: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Orders of places that put the classes of the nodes in order."""
        classes = [self._class_of(number) for number in nodes]
        groups: dict[int, list[int]] = {}
        for place, kind in enumerate(classes):
            groups.setdefault(kind, []).append(place)
        ordered = [list(permutations(groups[kind])) for kind in sorted(groups)]
        return [tuple(place for part in parts for place in part) for parts in product(*ordered)]

    def _class_of(self, number: int) -> int:
        found = self._classes.get(number)
        if found is None:
            own = self._states.states[number].host.node_id
            names = {node_id: -1 if node_id == own else -2 for node_id in self._ids}
            found = self._classes[number] = self._number(("class", self._states.frozen(self._states.states[number].host, names)))
        return found

    def _renamed(
        self, nodes: tuple[int, ...], messages: tuple[int, ...], past: int, order: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        node_names, message_names = self._node_names, self._message_names
        renamed = []
        for place in order:
            key = (nodes[place], order)
            name = node_names.get(key)
            renamed.append(self._name_node(key) if name is None else name)
        found = []
        for message in messages:
            key = (message, order)
            name = message_names.get(key)
            found.append(self._name_message(key) if name is None else name)
        found.sort()
        key = (past, order)
        name = self._past_names.get(key)
        renamed.append(self._name_past(key) if name is None else name)
        return tuple(renamed), tuple(found)

    def _names(self, order: tuple[int, ...]) -> Mapping[int, int]:
        return {self._ids[place]: self._ids[new] for new, place in enumerate(order)}

    def _name_node(self, key: tuple[int, tuple[int, ...]]) -> int:
        number, order = key
        name = self._node_names[key] = self._number(self._states.frozen(self._states.states[number].host, self._names(order)))
        return name

    def _name_message(self, key: tuple[int, tuple[int, ...]]) -> int:
        number, order = key
        name = self._message_names[key] = self._number(freeze(self._states.messages[number], names=self._names(order)))
        return name

    def _name_past(self, key: tuple[int, tuple[int, ...]]) -> int:
        number, order = key
        past, names = self._history.pasts[number], self._names(order)
        leaders = tuple(sorted((term, names[leader]) for term, leader in past.leaders))
        name = self._past_names[key] = self._number(("past", freeze(past._replace(leaders=leaders))))
        return name

    def _number(self, contents: Hashable) -> int:
        return self._numbers.setdefault(contents, len(self._numbers))
