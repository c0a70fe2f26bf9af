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
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from typing import Any

__all__ = ["Encoding", "field_names"]

_DEPTH_MAX = 24


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
        self._by_name = {cls for cls in self._fields if is_dataclass(cls) and any(field.kw_only for field in fields(cls))}
        self.objects: dict[int, Any] = {}

    def encode(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line for each kind
        """Never raises: what is no plain data becomes {"?": class}."""
        kind = type(value)
        if value is None or kind is bool or kind is int or kind is str or (kind is float and isfinite(value)):
            return value
        if depth > _DEPTH_MAX:
            return {"?": "something nested too deep"}
        if kind is bytes:
            return {"b": base64.b64encode(value).decode()}
        if kind is tuple:
            return [self.encode(item, depth + 1) for item in value]
        if kind is list:
            return {"l": [self.encode(item, depth + 1) for item in value]}
        if kind in self._fields:
            return {"c": kind.__name__, "f": [self.encode(getattr(value, name), depth + 1) for name in self._fields[kind]]}
        if isinstance(value, Enum) and self.classes.get(kind.__name__) is kind:
            return {"e": kind.__name__, "v": value.value}
        if isinstance(value, Mapping):
            return {"d": [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in value.items()]}
        number = getattr(value, "remote_number", None)
        return {"o": number} if type(number) is int else {"?": kind.__name__}

    def decode(self, plain: Any) -> Any:  # noqa: PLR0911 - one line for each kind
        """What a trusted side encoded. Raises: KeyError and the like for anything else."""
        if isinstance(plain, list):
            return tuple(self.decode(item) for item in plain)
        if not isinstance(plain, dict):
            return plain
        match plain:
            case {"b": data}:
                return base64.b64decode(data)
            case {"l": items}:
                return [self.decode(item) for item in items]
            case {"d": pairs}:
                return {self.decode(key): self.decode(item) for key, item in pairs}
            case {"c": name, "f": values}:
                return self._made(self.classes[name], [self.decode(value) for value in values])
            case {"e": name, "v": value}:
                return self.classes[name](value)
            case {"o": number}:
                return self.objects[number]
        raise KeyError(f"no such kind of data: {sorted(plain)}")

    def _made(self, cls: type, values: list[Any]) -> Any:
        return cls(**dict(zip(self._fields[cls], values, strict=True))) if cls in self._by_name else cls(*values)
