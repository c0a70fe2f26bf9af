"""A canonical, hashable name for everything that is in a node: two nodes with equal names go on in the same way."""

import random
from collections import deque
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

from mq.sim.explore.copying import ATOMS, ClassFacts, Sort, facts_of

__all__ = ["SaveNumber", "freeze"]


class SaveNumber(int):
    """The number of a save.

    What a node does depends on which save is the newer one, never on how many there were before, so that a state's name holds
    only the distance to the newest.
    """

    __slots__ = ()


ATOMS.add(SaveNumber)


def freeze(
    value: object, *, newest_save: int = 0, names: Mapping[int, int] | None = None, shared: Sequence[object] = ()
) -> Hashable:
    """A hashable value that is equal for equal contents, whatever the order in dictionaries and sets.

    names: integers that stand for others (a renaming of nodes). shared: objects that say nothing, being the same in all states.
    Raises: TypeError for what has no contents that could be looked at.
    """
    return _Freezer(newest_save, names or {}, shared).freeze(value)


class _Freezer:
    """_found: by `id`, what stands for an object.

    One that holds itself does not go on for ever so, and one that is met again is not looked into again. _depth: how many
    objects are being looked into. _has_loop: whether one of them was met within itself. _same: classes whose objects stand for
    themselves.
    """

    __slots__ = ("_depth", "_found", "_has_loop", "_names", "_newest_save", "_same")

    def __init__(self, newest_save: int, names: Mapping[int, int], shared: Sequence[object]) -> None:
        self._newest_save, self._names = newest_save, names
        self._same = ATOMS - {SaveNumber, int} if names else ATOMS - {SaveNumber}
        self._found: dict[int, Hashable] = {id(item): "shared" for item in shared}
        self._depth = len(shared)
        self._has_loop = False

    def freeze(self, value: Any) -> Hashable:
        kind = type(value)
        if kind in self._same:
            return value  # type: ignore[no-any-return]  # classes that are hashed by what they hold
        if kind is int:
            return self._names.get(value, value)  # type: ignore[no-any-return]  # an int is what it is
        if kind is SaveNumber:
            behind = self._newest_save - value  # the newest is like the 0 of a node that has saved nothing in this life yet
            return ("save", -behind) if behind else 0
        found = self._found.get(id(value))
        if found is None:
            return self._freeze_whole(value, facts_of(kind))
        self._has_loop = self._has_loop or found.__class__ is _Loop
        return found

    def _freeze_whole(self, value: Any, facts: ClassFacts) -> Hashable:
        sort = facts.sort
        if sort is Sort.NAMED:
            return (type(value), value if self._same.issuperset(map(type, value)) else self._freeze_items(value))
        if sort is Sort.TUPLE:
            return self._freeze_items(value)
        if (sort is Sort.LIST or sort is Sort.DEQUE) and self._same.issuperset(map(type, value)):
            return (type(value), tuple(value))  # the most common of all: nothing in it to look into
        if sort is Sort.ATOM:
            found: Hashable = value
            return found
        mark = id(value)
        self._found[mark] = _Loop(("again", self._depth))
        self._depth += 1
        found = self._freeze_open(value, facts)
        self._depth -= 1
        if self._has_loop:  # its name says how deep it lies, so that it is no name for it elsewhere
            del self._found[mark]
        else:
            self._found[mark] = found
        return found

    def _freeze_items(self, items: Collection[Any]) -> tuple[Hashable, ...]:
        same, freeze = self._same, self.freeze
        if same.issuperset(map(type, items)):
            return tuple(items)
        return tuple([item if type(item) in same else freeze(item) for item in items])

    def _freeze_open(self, value: Any, facts: ClassFacts) -> Hashable:
        kind, freeze = type(value), self.freeze
        if isinstance(value, dict):
            return (kind, frozenset([(freeze(key), freeze(item)) for key, item in value.items()]))
        if isinstance(value, list | deque):
            return (kind, self._freeze_items(value))
        if isinstance(value, set | frozenset):
            return (kind, frozenset(self._freeze_items(value)))
        return self._freeze_object(value, facts)

    def _freeze_object(self, value: Any, facts: ClassFacts) -> Hashable:
        kind = type(value)
        if isinstance(value, random.Random):
            return (kind, value.getstate())
        own = getattr(value, "__dict__", None)
        if own is None and not facts.fields and facts.sort is Sort.FOREIGN:
            raise TypeError(f"a {kind.__name__} cannot be looked into, so that states with it cannot be told apart")
        try:
            fields = self._freeze_items(facts.read(value))
        except AttributeError:  # a slot that was never filled
            fields = tuple([self.freeze(getattr(value, name, "nothing")) for name in facts.fields])
        if not own:
            return (kind, fields)
        return (kind, fields, frozenset([(name, self.freeze(item)) for name, item in own.items()]))


class _Loop(tuple[str, int]):
    """What stands for an object within itself."""

    __slots__ = ()
