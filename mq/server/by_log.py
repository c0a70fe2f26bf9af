"""What is known of a node from one call to the next, for those that look at what a replaced Raft does."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["ByLog"]

_T = TypeVar("_T")


class ByLog(Generic[_T]):
    """By a node's log: a node that starts again has another one, and what was known of the earlier life goes with its log.

    make: of a node that was not looked at before.
    """

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self._known: WeakKeyDictionary[Any, _T] = WeakKeyDictionary()

    def of(self, node: Any) -> _T:
        """What is known of it."""
        storage = node.log.storage
        known = self._known.get(storage)
        if known is None:
            known = self._known[storage] = self._make(node)
        return known
