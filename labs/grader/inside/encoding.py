"""Plain data as JSON that says of itself what it is.

    None, bool, int, str    as they are            bytes           {"b": base64}
    tuple                   [...]                  list            {"l": [...]}
    mapping                 {"d": [[key, value]]}  enum            {"e": class, "v": value}
    dataclass, NamedTuple   {"c": class, "f": [fields in order]}
    one of our objects      {"o": its number}      anything else   {"?": class}

Only exact types count: a subclass of `int` is "anything else", and whoever decodes refuses that by name. What comes from a
student is never decoded by this module but by `labs.grader.decoding`, which knows what to expect.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from operator import attrgetter
from typing import Any

__all__ = ["Encoding", "field_names", "quoted", "written_list", "written_object"]

_DEPTH_MAX = 24
_EMPTY = ()
"""There is but one."""
_AS_IT_IS = frozenset({type(None), bool, int, str})


def _number(value: int) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes none of more than some thousand digits
        return '{"?":"a number that is too long"}'


_WRITTEN: dict[type, Callable[[Any], str]] = {
    int: _number, str: quoted, bool: {False: "false", True: "true"}.__getitem__, type(None): lambda _none: "null",
}  # fmt: skip


def written_list(items: Iterable[str]) -> str:
    """A list of JSON, of items that are JSON."""
    return f"[{','.join(items)}]"


def written_object(values: Mapping[str, str]) -> str:
    """An object of JSON, of values that are JSON, by names that need no escape."""
    return "{" + ",".join([f'"{name}":{value}' for name, value in values.items()]) + "}"


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
        self._values = {cls: (f'{{"c":{quoted(cls.__name__)},"f":', _values_of(names)) for cls, names in self._fields.items()}
        self._by_name = {cls for cls in self._fields if is_dataclass(cls) and any(field.kw_only for field in fields(cls))}
        self.objects: dict[int, Any] = {}

    def encode(self, value: Any, depth: int = 0) -> str:  # noqa: PLR0911 - one line for each kind
        """Written at once: hundreds of thousands of values cross. What is no plain data becomes {"?": class}."""
        kind = type(value)
        if kind in _WRITTEN:
            return _WRITTEN[kind](value)
        if depth > _DEPTH_MAX:
            return '{"?":"something nested too deep"}'
        if kind is tuple:
            return self._items(value, depth)
        if kind in self._values:
            beginning, values = self._values[kind]
            return f"{beginning}{self._items(values(value), depth)}}}"
        if kind is float and isfinite(value):
            return repr(value)
        if kind is bytes:
            return f'{{"b":"{b2a_base64(value, newline=False).decode()}"}}'
        if kind is list:
            return f'{{"l":{self._items(value, depth)}}}'
        if isinstance(value, Enum) and self.classes.get(kind.__name__) is kind:
            return f'{{"e":{quoted(kind.__name__)},"v":{self.encode(value.value, depth + 1)}}}'
        if isinstance(value, Mapping):
            return f'{{"d":[{",".join(self._items(pair, depth + 1) for pair in value.items())}]}}'
        number = getattr(value, "remote_number", None)
        return f'{{"o":{number}}}' if type(number) is int else f'{{"?":{quoted(kind.__name__)}}}'

    def _items(self, values: Iterable[Any], depth: int) -> str:
        encode, depth = self.encode, depth + 1
        try:  # most are one of these three, and need no call
            written = [
                repr(one) if type(one) is int else "null" if one is None else "[]" if one is _EMPTY else encode(one, depth)
                for one in values
            ]
        except ValueError:
            written = [encode(one, depth) for one in values]
        return f"[{','.join(written)}]"

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
                return a2b_base64(data)
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
