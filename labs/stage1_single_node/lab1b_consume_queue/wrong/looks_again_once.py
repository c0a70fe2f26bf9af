"""A read looks again when retention removed its file, but once only: when retention comes once more it is refused."""

from collections.abc import Callable
from typing import TypeVar

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.errors import DamageError
from mq.core.ports import Steps

_T = TypeVar("_T")


class ConsumeQueue(Reference):
    """See above."""

    def _steadily(self, look: Callable[[], Steps[_T]]) -> Steps[_T]:
        first_entry = self.first_entry
        try:
            return (yield from look())
        except DamageError:
            if self.first_entry == first_entry:
                raise
        return (yield from look())
