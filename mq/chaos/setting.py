"""What the clients of a run share: names, sizes, and how far all of them are."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["AGAIN_S", "POLL_S", "Progress", "Size", "Topics"]

AGAIN_S = 0.02
"""Before another attempt."""
POLL_S = 0.4


class Topics(NamedTuple):
    """Names of this run. `one` and `ordered` are read by the groups `first` and `second`, and `turn`, which is FIFO."""

    plain: str
    ordered: str
    bulk: str
    first: str
    second: str
    turn: str

    @classmethod
    def of(cls, run: str) -> "Topics":
        """Of a run that is called so."""
        return cls(*(f"chaos-{run}-{name}" for name in cls._fields))

    @property
    def reads(self) -> dict[str, list[str]]:
        """Which group reads which topics."""
        return {self.first: [self.plain, self.bulk], self.second: [self.plain], self.turn: [self.ordered]}

    @property
    def queues(self) -> dict[str, int]:
        """How many queues each topic has."""
        return {self.plain: 4, self.ordered: 4, self.bulk: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many clients, and how long each rests at most between two messages or batches."""

    producers: int = 4
    ordered_producers: int = 2
    consumers: int = 2
    rest_s: float = 0.03
    batch_rest_s: float = 0.4


@dataclass(slots=True)
class Progress:
    """stopping: producers end when it is set, and consumers acknowledge everything from then on. is_over: consumers end.

    acknowledged: messages sent. backlog: messages in batches that were stored, and not acknowledged by a consumer.
    refusals: of calls that nothing is wrong with.
    """

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    acknowledged: int = 0
    backlog: int = 0
    refusals: set[str] = field(default_factory=set)
