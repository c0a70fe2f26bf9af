"""Reading what a student's process sent: by what the seam says must come, and nothing else.

Every value is built here, from classes of ours; exact types are demanded (`type(x) is int`), so that neither a number that
is equal to everything nor a list that pretends to be a tuple comes any further. What does not fit is said in one
sentence that names
the method, the place and the type: "`append` returned an Appended whose `plan[0].at` is str, expected int".
"""

import base64
import binascii
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from labs.grader.inside.encoding import field_names
from mq.core.ports import Read

__all__ = ["MisfitError", "checked_read", "decoder_of", "name_of"]

Decode = Callable[[Any, str], Any]
"""A value as it was sent, and where it stands, such as ".plan[0].at" -> the value. Raises: MisfitError."""

_NAME_MAX = 40
_NONE = type(None)
_MISSING = object()


class MisfitError(Exception):
    """A value is not what the seam promises. where: inside of what was returned; "" for all of it."""

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"{where or 'it'} is {found}, expected {expected}")
        self.where, self.found, self.expected = where, found, expected


def name_of(plain: Any) -> str:
    """The type that a value says it is, for people."""
    if plain is None or type(plain) in (bool, int, str, float):
        return type(plain).__name__ if plain is not None else "None"
    if type(plain) is list:
        return "tuple"
    if type(plain) is dict:
        for key, word in (("b", "bytes"), ("l", "list"), ("d", "dict")):
            if key in plain:
                return word
        for key in ("c", "e", "?"):
            if type(plain.get(key)) is str:
                return str(plain[key])[:_NAME_MAX]
    return "no plain data"


def _title(annotation: Any) -> str:
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, NewType):
        return _title(annotation.__supertype__)
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_title(part) for part in get_args(annotation)))
    origin = get_origin(annotation) or annotation
    return str(getattr(origin, "__name__", origin))


def decoder_of(annotation: Any) -> Decode:
    """What reads values of this annotation. Raises: TypeError when it does not stand for plain data."""
    try:
        return _decoder_of(annotation)
    except TypeError as error:
        raise TypeError(f"{annotation} cannot cross: {error}") from error


@cache
def _as_it_is(annotation: Any) -> frozenset[type]:
    """Types that JSON has, too: of these a value of this annotation is what was sent. No text: not every one can be written."""
    if isinstance(annotation, NewType):
        return _as_it_is(annotation.__supertype__)
    if annotation in (int, bool, None, _NONE):
        return frozenset({_NONE if annotation is None else annotation})
    if get_origin(annotation) in (Union, types.UnionType):
        return frozenset[type]().union(*map(_as_it_is, get_args(annotation)))
    return frozenset()


@cache
def _decoder_of(annotation: Any) -> Decode:  # noqa: C901, PLR0911 - one line for each kind
    if isinstance(annotation, NewType):
        return decoder_of(annotation.__supertype__)
    if annotation in (int, bool):
        return _exactly(annotation)
    if annotation is str:
        return _text
    if annotation in (None, type(None)):
        return _nothing
    if annotation is bytes:
        return _bytes
    if annotation is Any:
        return _as_json
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _one_of(annotation, parts)
    if origin is tuple:
        return _items_of(parts[0], "tuple") if parts[1:] == (Ellipsis,) else _tuple_of(parts)
    if origin in (list, Sequence):
        return _items_of(parts[0], "list" if origin is list else "")
    if origin in (dict, Mapping):
        return _mapping_of(*parts)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum(annotation)
    if isinstance(annotation, type) and (is_dataclass(annotation) or hasattr(annotation, "_fields")):
        return _record(annotation)
    raise TypeError("it is no plain data")


def _exactly(kind: type) -> Decode:
    def decode(plain: Any, where: str) -> Any:
        if type(plain) is not kind:
            raise MisfitError(where, name_of(plain), kind.__name__)
        return plain

    return decode


def _text(plain: Any, where: str) -> str:
    """JSON can say halves of characters; what holds one can be written into no file, no picture and no page."""
    if type(plain) is not str:
        raise MisfitError(where, name_of(plain), "str")
    if not plain.isascii():
        try:
            plain.encode()
        except UnicodeEncodeError:
            raise MisfitError(where, "a str with half of a character in it (a lone surrogate)", "str") from None
    return plain


def _as_json(plain: Any, where: str) -> Any:
    """Whatever JSON can hold, as it is when it was written and read: tuples are lists."""
    if type(plain) is str:
        return _text(plain, where)
    if plain is None or type(plain) in (bool, int) or (type(plain) is float and isfinite(plain)):
        return plain
    if type(plain) is list or (type(plain) is dict and type(plain.get("l")) is list):
        return [_as_json(one, f"{where}[{number}]") for number, one in enumerate(_items(plain, where, ""))]
    if type(plain) is dict and type(plain.get("d")) is list:
        pairs = [_tuple_of((str, Any))(pair, f"{where}, its keys,") for pair in plain["d"]]
        return dict(pairs)
    raise MisfitError(where, name_of(plain), "what JSON can hold")


def _nothing(plain: Any, where: str) -> None:
    if plain is not None:
        raise MisfitError(where, name_of(plain), "None")


def _bytes(plain: Any, where: str) -> bytes:
    data = plain.get("b") if type(plain) is dict else None
    if type(data) is not str:
        raise MisfitError(where, name_of(plain), "bytes")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise MisfitError(where, "no plain data", "bytes") from None


def _one_of(annotation: Any, parts: Sequence[Any]) -> Decode:
    """By the name that the value gives itself. No two parts may have the same."""
    by_name = {_title(part): decoder_of(part) for part in parts}

    def decode(plain: Any, where: str) -> Any:
        found = by_name.get(name_of(plain))
        if found is None:
            raise MisfitError(where, name_of(plain), _title(annotation))
        return found(plain, where)

    return decode


def _items(plain: Any, where: str, kind: str) -> list[Any]:
    found = plain if type(plain) is list and kind != "list" else None
    if found is None and type(plain) is dict and kind != "tuple" and type(plain.get("l")) is list:
        found = plain["l"]
    if found is None:
        raise MisfitError(where, name_of(plain), kind or "a tuple or a list")
    return found


def _items_of(item: Any, kind: str) -> Decode:
    decode_item, plain_kinds = decoder_of(item), _as_it_is(item)

    def decode(plain: Any, where: str) -> Any:
        found = [
            one if type(one) in plain_kinds else decode_item(one, f"{where}[{number}]")
            for number, one in enumerate(_items(plain, where, kind))
        ]
        return found if kind == "list" else tuple(found)

    return decode


def _tuple_of(parts: Sequence[Any]) -> Decode:
    decoders = [decoder_of(part) for part in parts]

    def decode(plain: Any, where: str) -> Any:
        items = _items(plain, where, "tuple")
        if len(items) != len(decoders):
            raise MisfitError(where, f"a tuple of {len(items)}", f"a tuple of {len(decoders)}")
        return tuple(each(one, f"{where}[{number}]") for number, (each, one) in enumerate(zip(decoders, items, strict=True)))

    return decode


def _mapping_of(key: Any, value: Any) -> Decode:
    pair = _tuple_of((key, value))

    def decode(plain: Any, where: str) -> Any:
        if type(plain) is not dict or type(plain.get("d")) is not list:
            raise MisfitError(where, name_of(plain), "dict")
        return dict(pair(one, where) for one in plain["d"])

    return decode


def _enum(kind: type[Enum]) -> Decode:
    by_value = {member.value: member for member in kind}

    def decode(plain: Any, where: str) -> Any:
        value = plain.get("v") if type(plain) is dict and plain.get("e") == kind.__name__ else _MISSING
        if type(value) not in (int, str) or value not in by_value:
            raise MisfitError(where, name_of(plain), kind.__name__)
        return by_value[value]

    return decode


def _record(kind: type) -> Decode:
    names, is_read = field_names(kind), issubclass(kind, Read)
    hints = get_type_hints(kind)
    decoders = [(f".{name}", decoder_of(hints[name]), _as_it_is(hints[name])) for name in names]

    def decode(plain: Any, where: str) -> Any:
        values = plain.get("f") if type(plain) is dict and plain.get("c") == kind.__name__ else None
        if type(values) is not list or len(values) != len(decoders):
            raise MisfitError(where, name_of(plain), kind.__name__)
        found = [
            one if type(one) in plain_kinds else each(one, where + name)
            for (name, each, plain_kinds), one in zip(decoders, values, strict=True)
        ]
        made = kind(*found)
        return checked_read(made, where) if is_read else made

    return decode


def checked_read(read: Read, where: str = "") -> Read:
    """The same, if a real disk can answer it: to our files in memory a byte before the first is one counted from the end.

    Raises: MisfitError, with the field and its limit.
    """
    if read.at < 0:
        raise MisfitError(f"{where}.at", str(read.at), "0 or more, since a file begins with byte 0")
    if read.size_bytes < 0:
        raise MisfitError(f"{where}.size_bytes", str(read.size_bytes), "0 or more")
    return read
