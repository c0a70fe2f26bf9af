"""Plain data as JSON that says of itself what it is.

    None, bool, int, str    as they are            bytes           {"b": base64}
    tuple                   [...]                  list            {"l": [...]}
    mapping                 {"d": [[key, value]]}  enum            {"e": class, "v": value}
    dataclass, NamedTuple   {"c": class, "f": [fields in order]}
    one of our objects      {"o": its number}      anything else   {"?": class}

Only exact types count: a subclass of `int` is "anything else", and whoever decodes refuses that by name. What comes from a
student is never decoded by this module but by `labs.grader.decoding`, which knows what to expect.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from operator import attrgetter
from typing import Any

__all__ = ["Encoding", "field_names"]

_DEPTH_MAX = 24
_AS_IT_IS = frozenset({type(None), bool, int, str})


def field_names(cls: type) -> tuple[str, ...]:
    """Of a dataclass or a NamedTuple, in order."""
    if is_dataclass(cls):
        return tuple(field.name for field in fields(cls))
    return tuple(getattr(cls, "_fields", ()))


class Encoding:
    """classes: those that may cross, each known by its bare name. objects: by number, for {"o": number}."""

    def __init__(self, classes: Iterable[type]) -> None:
        self.classes = {cls.__name__: cls for cls in classes}
        self._fields = {cls: field_names(cls) for cls in self.classes.values() if not issubclass(cls, Enum)}
        self._values = {cls: _values_of(names) for cls, names in self._fields.items()}
        self._by_name = {cls for cls in self._fields if is_dataclass(cls) and any(field.kw_only for field in fields(cls))}
        self.objects: dict[int, Any] = {}

    def encode(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line for each kind
        """Never raises: what is no plain data becomes {"?": class}."""
        kind = type(value)
        if kind in _AS_IT_IS or (kind is float and isfinite(value)):
            return value
        if depth > _DEPTH_MAX:
            return {"?": "something nested too deep"}
        if kind is tuple:
            return self._items(value, depth)
        if kind in self._values:
            return {"c": kind.__name__, "f": self._items(self._values[kind](value), depth)}
        if kind is bytes:
            return {"b": base64.b64encode(value).decode()}
        if kind is list:
            return {"l": self._items(value, depth)}
        if isinstance(value, Enum) and self.classes.get(kind.__name__) is kind:
            return {"e": kind.__name__, "v": value.value}
        if isinstance(value, Mapping):
            return {"d": [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in value.items()]}
        number = getattr(value, "remote_number", None)
        return {"o": number} if type(number) is int else {"?": kind.__name__}

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        encode = self.encode  # most are as they are, and hundreds of thousands cross
        return [one if type(one) in _AS_IT_IS else encode(one, depth + 1) for one in values]

    def decode(self, plain: Any) -> Any:  # noqa: PLR0911 - one line for each kind
        """What a trusted side encoded. Raises: KeyError and the like for anything else."""
        if isinstance(plain, list):
            return tuple(self._decoded(plain))
        if not isinstance(plain, dict):
            return plain
        if "c" in plain:
            return self._made(self.classes[plain["c"]], self._decoded(plain["f"]))
        match plain:
            case {"b": data}:
                return base64.b64decode(data)
            case {"l": items}:
                return self._decoded(items)
            case {"d": pairs}:
                return {self.decode(key): self.decode(item) for key, item in pairs}
            case {"e": name, "v": value}:
                return self.classes[name](value)
            case {"o": number}:
                return self.objects[number]
        raise KeyError(f"no such kind of data: {sorted(plain)}")

    def _decoded(self, items: list[Any]) -> list[Any]:
        decode = self.decode
        return [one if type(one) in _AS_IT_IS else decode(one) for one in items]

    def _made(self, cls: type, values: list[Any]) -> Any:
        return cls(**dict(zip(self._fields[cls], values, strict=True))) if cls in self._by_name else cls(*values)


def _values_of(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes the fields out of an object."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)
