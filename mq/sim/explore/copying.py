"""Copies of a node, and a canonical name for what is in one.

A search stands at thousands of states at once, so each step works on a copy. `deepcopy` takes most of a millisecond; here what
cannot change is shared, and what can is copied field by field. Objects of unknown kinds still go to `deepcopy`, so that anybody's
node can be explored.
"""

import random
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import deepcopy
from enum import Enum, IntEnum, auto
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias, TypeVar

__all__ = ["SaveNumber", "clone", "freeze"]

_T = TypeVar("_T")
_Memo: TypeAlias = dict[int, Any]


class SaveNumber(int):
    """The number of a save. What a node does depends on which save is the newer one, never on how many there were before, so
    that a state's name holds only the distance to the newest.
    """

    __slots__ = ()


class _Sort(IntEnum):
    """What is to be done with objects of a class."""

    ATOM = auto()
    TUPLE = auto()
    NAMED = auto()
    LIST = auto()
    DEQUE = auto()
    DICT = auto()
    SET = auto()
    FROZEN_SET = auto()
    FROZEN = auto()
    PLAIN = auto()
    FOREIGN = auto()


class _Class(NamedTuple):
    """fields: its slots and those of the classes it is built from. read: gets all of them at once, as a tuple."""

    sort: _Sort
    fields: tuple[str, ...]
    read: Callable[[Any], tuple[Any, ...]]


_ATOMS: set[type] = {int, str, bytes, bool, float, complex, type(None), type(Ellipsis), range, type, SaveNumber}
_TIMELESS: set[type] = _ATOMS - {SaveNumber}
"""Atoms that stand for themselves."""
_NAMELESS: set[type] = _TIMELESS - {int}
"""Atoms that no renaming of nodes touches."""
_FIXED = (FunctionType, BuiltinFunctionType, ModuleType, Enum, type)
_CONTAINERS: dict[type, _Sort] = {
    tuple: _Sort.TUPLE, list: _Sort.LIST, deque: _Sort.DEQUE, dict: _Sort.DICT, set: _Sort.SET, frozenset: _Sort.FROZEN_SET,
}  # fmt: skip
_classes: dict[type, _Class] = {}


def _look_at(kind: type) -> _Class:
    fields = _fields_of(kind)
    if len(fields) > 1:
        read: Callable[[Any], tuple[Any, ...]] = attrgetter(*fields)
    else:
        read = lambda value: tuple(getattr(value, name) for name in fields)  # noqa: E731  # attrgetter gives no tuple for one
    found = _classes[kind] = _Class(_sort_of(kind), fields, read)
    if found.sort is _Sort.ATOM:
        _ATOMS.add(kind)
        _TIMELESS.add(kind)
        _NAMELESS.add(kind)
    return found


def _sort_of(kind: type) -> _Sort:
    if kind in _ATOMS or issubclass(kind, _FIXED):
        return _Sort.ATOM
    if kind in _CONTAINERS:
        return _CONTAINERS[kind]
    if issubclass(kind, tuple) and hasattr(kind, "_make"):
        return _Sort.NAMED
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        return _Sort.FROZEN
    is_plain = (
        kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and kind.__new__ is object.__new__
        and not hasattr(kind, "__deepcopy__")
        and not hasattr(kind, "__setstate__")
        and not issubclass(kind, MethodType)
    )
    return _Sort.PLAIN if is_plain else _Sort.FOREIGN


def _fields_of(kind: type) -> tuple[str, ...]:
    """Without `__dict__`; a name with two underscores is spelled as Python spells it inside."""
    names: list[str] = []
    for base in reversed(kind.__mro__):
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            is_hidden = name.startswith("__") and not name.endswith("__")
            names.append(f"_{base.__name__.lstrip('_')}{name}" if is_hidden else name)
    return tuple(name for name in dict.fromkeys(names) if name not in {"__dict__", "__weakref__"})


def clone(value: _T, shared: Sequence[object] = ()) -> _T:
    """A copy that can change without the original noticing. shared: what is not copied."""
    return _clone(value, {id(item): item for item in shared})  # type: ignore[no-any-return]  # the same type comes out


def _clone(value: Any, memo: _Memo) -> Any:  # noqa: ANN401
    kind = type(value)
    if kind in _ATOMS:
        return value
    mark = id(value)
    if mark in memo:
        return memo[mark]
    sort, fields, read = _classes.get(kind) or _look_at(kind)
    match sort:
        case _Sort.PLAIN:
            return _clone_object(value, memo, fields, read)
        case _Sort.TUPLE | _Sort.NAMED:
            return _clone_tuple(value, memo)
        case _Sort.LIST:
            copy = memo[mark] = []
            copy += [item if type(item) in _ATOMS else _clone(item, memo) for item in value]
            return copy
        case _Sort.DEQUE:
            copy = memo[mark] = deque(maxlen=value.maxlen)
            copy.extend([_clone(item, memo) for item in value])
            return copy
        case _Sort.DICT:
            copy = memo[mark] = {}
            copy.update([(key, item if type(item) in _ATOMS else _clone(item, memo)) for key, item in value.items()])
            return copy
        case _Sort.SET:
            return value.copy()
        case _Sort.FOREIGN:
            return deepcopy(value, memo)
        case _:
            return value


def _clone_tuple(value: Any, memo: _Memo) -> Any:  # noqa: ANN401
    for item in value:
        if type(item) not in _ATOMS and _clone(item, memo) is not item:
            copies = [_clone(each, memo) for each in value]
            return tuple(copies) if type(value) is tuple else type(value)._make(copies)
    return value  # nothing in it can change


def _clone_object(value: Any, memo: _Memo, fields: tuple[str, ...], read: Callable[[Any], tuple[Any, ...]]) -> Any:  # noqa: ANN401
    copy = memo[id(value)] = object.__new__(type(value))
    put = object.__setattr__
    try:
        for name, item in zip(fields, read(value), strict=True):
            put(copy, name, item if type(item) in _ATOMS else _clone(item, memo))
    except AttributeError:  # a slot that was never filled
        for name in fields:
            if hasattr(value, name):
                put(copy, name, _clone(getattr(value, name), memo))
    own = getattr(value, "__dict__", None)
    if own:
        copy.__dict__.update({name: _clone(item, memo) for name, item in own.items()})
    return copy


def freeze(
    value: object, *, newest_save: int = 0, names: Mapping[int, int] | None = None, shared: Sequence[object] = ()
) -> Hashable:
    """A hashable value that is equal for equal contents, whatever the order in dictionaries and sets.

    names: integers that stand for others (a renaming of nodes). shared: objects that say nothing, being the same in all states.
    Raises: TypeError for what has no contents that could be looked at.
    """
    return _Freezer(newest_save, names or {}, shared).freeze(value)


class _Freezer:
    """_open: objects that are being looked at, so that one that holds itself does not go on for ever."""

    __slots__ = ("_names", "_newest_save", "_open", "_same")

    def __init__(self, newest_save: int, names: Mapping[int, int], shared: Sequence[object]) -> None:
        self._newest_save, self._names = newest_save, names
        self._same = _NAMELESS if names else _TIMELESS
        self._open: dict[int, Hashable] = {id(item): "shared" for item in shared}

    def freeze(self, value: Any) -> Hashable:  # noqa: ANN401
        kind = type(value)
        if kind in self._same:
            return value  # type: ignore[no-any-return]
        if kind is int:
            return self._names.get(value, value)
        if kind is SaveNumber:
            return ("save", value - self._newest_save)
        mark = id(value)
        if mark in self._open:
            return self._open[mark]
        found = _classes.get(kind) or _look_at(kind)
        if found.sort is _Sort.ATOM:
            return value  # type: ignore[no-any-return]
        if found.sort is _Sort.TUPLE or found.sort is _Sort.NAMED:
            return self._freeze_tuple(value)
        self._open[mark] = ("again", len(self._open))
        try:
            return self._freeze_whole(value, kind, found)
        finally:
            del self._open[mark]

    def _freeze_tuple(self, value: tuple[Any, ...]) -> Hashable:
        same = self._same
        for item in value:
            if type(item) not in same and self.freeze(item) is not item:
                return (type(value), *[self.freeze(each) for each in value])
        return value

    def _freeze_items(self, items: Any) -> tuple[Hashable, ...]:  # noqa: ANN401
        same, freeze = self._same, self.freeze
        return tuple([item if type(item) in same else freeze(item) for item in items])

    def _freeze_whole(self, value: Any, kind: type, found: _Class) -> Hashable:  # noqa: ANN401
        freeze = self.freeze
        match found.sort:
            case _Sort.LIST | _Sort.DEQUE:
                return (kind, self._freeze_items(value)) if value else kind
            case _Sort.DICT:
                return (kind, frozenset([(freeze(key), freeze(item)) for key, item in value.items()]))
            case _Sort.SET | _Sort.FROZEN_SET:
                return (kind, frozenset(self._freeze_items(value)))
            case _:
                return self._freeze_object(value, kind, found)

    def _freeze_object(self, value: Any, kind: type, found: _Class) -> Hashable:  # noqa: ANN401
        if isinstance(value, random.Random):
            return (kind, value.getstate())
        own = getattr(value, "__dict__", None)
        if own is None and not found.fields and found.sort is _Sort.FOREIGN:
            raise TypeError(f"a {kind.__name__} cannot be looked into, so that states with it cannot be told apart")
        try:
            fields = self._freeze_items(found.read(value))
        except AttributeError:  # a slot that was never filled
            fields = tuple([self.freeze(getattr(value, name, "nothing")) for name in found.fields])
        if not own:
            return (kind, fields)
        return (kind, fields, frozenset([(name, self.freeze(item)) for name, item in own.items()]))
