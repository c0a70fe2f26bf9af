"""Copies of a node, at little cost.

A search stands at thousands of states at once, so each step works on a copy. `deepcopy` takes most of a millisecond; here what
cannot change is shared, and what can is copied field by field. Objects of unknown kinds still go to `deepcopy`, so that
anybody's node can be explored.
"""

from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from enum import Enum, IntEnum, auto
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias, TypeVar

__all__ = ["ATOMS", "ClassFacts", "Sort", "clone", "facts_of"]

_T = TypeVar("_T")
_Memo: TypeAlias = dict[int, Any]
"""By `id`: what was copied, and its copy."""


class Sort(IntEnum):
    """What is to be done with objects of a class. ATOM: nothing. NAMED: a NamedTuple. PLAIN: it is nothing but its fields."""

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


class ClassFacts(NamedTuple):
    """fields: its slots and those of the classes it is built from. read: gets all of them at once, as a tuple."""

    sort: Sort
    fields: tuple[str, ...]
    read: Callable[[Any], tuple[Any, ...]]


ATOMS: set[type] = {int, str, bytes, bool, float, complex, type(None), type(Ellipsis), range, type}
"""Classes whose objects never change and hold nothing; enumerations join when they are met."""

_FIXED = (FunctionType, BuiltinFunctionType, ModuleType, Enum, type)
_CONTAINERS: dict[type, Sort] = {
    tuple: Sort.TUPLE, list: Sort.LIST, deque: Sort.DEQUE, dict: Sort.DICT, set: Sort.SET, frozenset: Sort.FROZEN_SET,
}  # fmt: skip
_facts: dict[type, ClassFacts] = {}
_shared: set[type] = {*ATOMS}
"""Classes whose objects are never copied: atoms, and what is frozen. It grows as they are met."""


def facts_of(kind: type) -> ClassFacts:
    """What is to be known of a class; looked up once."""
    found = _facts.get(kind)
    if found is None:
        fields = _fields_of(kind)
        found = _facts[kind] = ClassFacts(_sort_of(kind), fields, _reader(fields))
        if found.sort is Sort.ATOM:
            ATOMS.add(kind)
    return found


def _sort_of(kind: type) -> Sort:
    if kind in ATOMS or issubclass(kind, _FIXED):
        return Sort.ATOM
    if kind in _CONTAINERS:
        return _CONTAINERS[kind]
    if issubclass(kind, tuple) and hasattr(kind, "_make"):
        return Sort.NAMED
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        return Sort.FROZEN
    return Sort.PLAIN if _is_plain(kind) else Sort.FOREIGN


def _is_plain(kind: type) -> bool:
    """Whether its objects are made and copied as Python does it by itself."""
    has_own_ways = hasattr(kind, "__deepcopy__") or hasattr(kind, "__setstate__") or issubclass(kind, MethodType)
    return not has_own_ways and all(
        getattr(kind, name) is getattr(object, name) for name in ("__reduce_ex__", "__reduce__", "__new__", "__getstate__")
    )


def _fields_of(kind: type) -> tuple[str, ...]:
    """Without `__dict__`; a name with two underscores is spelled as Python spells it inside."""
    names: list[str] = []
    for base in reversed(kind.__mro__):
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            is_hidden = name.startswith("__") and not name.endswith("__")
            names.append(f"_{base.__name__.lstrip('_')}{name}" if is_hidden else name)
    return tuple(name for name in dict.fromkeys(names) if name not in {"__dict__", "__weakref__"})


def _reader(fields: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(fields) > 1:
        return attrgetter(*fields)
    return lambda value: tuple(getattr(value, name) for name in fields)  # attrgetter makes no tuple of one


def clone(value: _T, shared: Sequence[object] = ()) -> _T:
    """A copy that can change without the original noticing. shared: what is not copied."""
    return _clone(value, {id(item): item for item in shared})  # type: ignore[no-any-return]  # the same type comes out


def _clone(value: Any, memo: _Memo) -> Any:
    kind = type(value)
    if kind in ATOMS:
        return value
    found = memo.get(id(value))
    if found is not None:
        return found
    try:
        copier = _copier_of[kind]
    except KeyError:
        copier = _copier_of[kind] = _COPIERS.get(facts_of(kind).sort)
        if copier is None:
            _shared.add(kind)
    return value if copier is None else copier(value, memo)


def _clone_tuple(value: Any, memo: _Memo) -> Any:
    if _shared.issuperset(map(type, value)):
        return value
    for item in value:
        if type(item) not in _shared and _clone(item, memo) is not item:
            copies = [_clone(each, memo) for each in value]
            return tuple(copies) if type(value) is tuple else type(value)._make(copies)
    return value  # nothing in it can change


def _clone_list(value: list[Any], memo: _Memo) -> list[Any]:
    copy: list[Any] = []
    memo[id(value)] = copy
    if not value:
        return copy
    copy += [item if type(item) in _shared else _clone(item, memo) for item in value]
    return copy


def _clone_deque(value: deque[Any], memo: _Memo) -> deque[Any]:
    copy: deque[Any] = deque(maxlen=value.maxlen)
    memo[id(value)] = copy
    if value:
        copy.extend([_clone(item, memo) for item in value])
    return copy


def _clone_dict(value: dict[Any, Any], memo: _Memo) -> dict[Any, Any]:
    copy: dict[Any, Any] = {}
    memo[id(value)] = copy
    copy.update([(key, item if type(item) in _shared else _clone(item, memo)) for key, item in value.items()])
    return copy


def _clone_set(value: set[Any], memo: _Memo) -> set[Any]:
    copy = memo[id(value)] = set(value)
    return copy


def _clone_object(value: Any, memo: _Memo) -> Any:
    facts = facts_of(type(value))
    copy = memo[id(value)] = object.__new__(type(value))
    put = object.__setattr__
    try:
        for name, item in zip(facts.fields, facts.read(value), strict=True):
            put(copy, name, item if type(item) in _shared else _clone(item, memo))
    except AttributeError:  # a slot that was never filled
        for name in facts.fields:
            if hasattr(value, name):
                put(copy, name, _clone(getattr(value, name), memo))
    own = getattr(value, "__dict__", None)
    if own:
        copy.__dict__.update({name: _clone(item, memo) for name, item in own.items()})
    return copy


_COPIERS: dict[Sort, Callable[[Any, _Memo], Any]] = {
    Sort.TUPLE: _clone_tuple,
    Sort.NAMED: _clone_tuple,
    Sort.LIST: _clone_list,
    Sort.DEQUE: _clone_deque,
    Sort.DICT: _clone_dict,
    Sort.SET: _clone_set,
    Sort.PLAIN: _clone_object,
    Sort.FOREIGN: deepcopy,
}
"""What is not here is shared."""
_copier_of: dict[type, Callable[[Any, _Memo], Any] | None] = {}
