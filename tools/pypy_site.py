"""What Python 3.9 lacks of 3.11, as far as the copy of `tools/pypy.py` needs it: it is that copy's `sitecustomize.py`."""
# ruff: noqa: ARG001, ARG004, ARG005, UP036, UP042
# It changes modules under the eyes of a Python that the checkers do not know.

import bisect
import builtins
import dataclasses
import enum
import itertools
import sys
import typing


def field_names(made):
    """The names by whose order a pattern of a class counts."""
    return list(getattr(made, "__dataclass_fields__", None) or made._fields)


def pairwise(items):
    """See `itertools`."""
    first, second = itertools.tee(items)
    next(second, None)
    return zip(first, second)  # noqa: B905 - that is its meaning


def _dataclass(made=None, *, slots=False, kw_only=False, **options):
    """Names its slots, and has none. kw_only: whoever calls it keeps to that already."""

    def make(plain):
        whole = _old_dataclass(plain, **options)
        if slots:
            whole.__slots__ = tuple(whole.__dataclass_fields__)
        return whole

    return make if made is None else make(made)


class StrEnum(str, enum.Enum):
    """See `enum`."""

    __str__ = str.__str__
    __format__ = str.__format__

    @staticmethod
    def _generate_next_value_(name, start, count, last_values):
        return name.lower()


class _Keys:
    """A list, seen through a key."""

    def __init__(self, items, key):
        self._items, self._key = items, key

    def __getitem__(self, place):
        return self._key(self._items[place])

    def __len__(self):
        return len(self._items)


def _with_key(search):
    def found(items, wanted, lo=0, hi=None, *, key=None):
        hi = len(items) if hi is None else hi
        return search(items if key is None else _Keys(items, key), wanted, lo, hi)

    return found


builtins.field_names = field_names
if sys.version_info < (3, 11):
    _old_dataclass, dataclasses.dataclass = dataclasses.dataclass, _dataclass
    enum.StrEnum, itertools.pairwise = StrEnum, pairwise
    # As numbers, as 3.11 shows them.
    enum.IntEnum.__str__, enum.IntEnum.__format__ = int.__repr__, int.__format__
    for name in ("bisect", "bisect_left", "bisect_right"):
        setattr(bisect, name, _with_key(getattr(bisect, name)))
    for name in ("TypeAlias", "Self", "Never", "TypeGuard"):
        setattr(typing, name, getattr(typing, name, typing.Any))
    typing.ParamSpec, typing.assert_never = typing.TypeVar, lambda value: None
