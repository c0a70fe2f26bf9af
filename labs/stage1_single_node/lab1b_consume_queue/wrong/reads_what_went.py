"""A read that is under way when retention removes its file does not look again: it is refused as if there were damage."""

from collections.abc import Callable
from typing import TypeVar

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Steps

_T = TypeVar("_T")


class ConsumeQueue(Reference):
    """See above."""

    def _steadily(self, look: Callable[[], Steps[_T]]) -> Steps[_T]:
        return (yield from look())
