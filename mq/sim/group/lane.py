"""The way of writes to a node's disk: in order, all that waits with one sync, and done some time later.

So a node goes on while its disk is at work, and a crash can come in between. `Weather` is how the disk behaves; it is the
machine's, so that it stays when the process dies.
"""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeAlias

from mq.raft.messages import Snapshot
from mq.raft.output import Chunk

__all__ = ["Batch", "Job", "Lane", "OwnSnapshot", "Weather"]


class OwnSnapshot(NamedTuple):
    """A snapshot that the node took of its state."""

    snapshot: Snapshot
    state: bytes


Job: TypeAlias = int | OwnSnapshot | Chunk
"""The number of an append, or what else is to be saved."""

Batch: TypeAlias = tuple[Job, ...]


@dataclass(slots=True)
class Weather:
    """sync_ms: of a sync at least; spread_ms: more by chance; extra_ms: while it is slow.

    is_full: appends are refused. is_failing: the next sync fails.
    """

    sync_ms: int = 1
    spread_ms: int = 3
    extra_ms: int = 0
    is_full: bool = False
    is_failing: bool = False

    def duration_ms(self, rng: Random) -> int:
        """Of one sync."""
        return self.sync_ms + int(rng.random() * self.spread_ms) + self.extra_ms


class Lane:
    """Jobs that wait. is_busy: the disk is at work on `batch`."""

    __slots__ = ("_waiting", "batch")

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self.batch: Batch = ()

    @property
    def is_busy(self) -> bool:
        """Whether a batch is under way."""
        return bool(self.batch)

    def put(self, job: Job) -> None:
        """Behind all others."""
        self._waiting.append(job)

    def take(self) -> Batch:
        """Everything that waits becomes the batch that is under way."""
        self.batch, self._waiting = tuple(self._waiting), []
        return self.batch

    def finish(self) -> None:
        """The batch is done, or has failed."""
        self.batch = ()

    @property
    def appends_under_way(self) -> int:
        """How many appends are in the batch: they may have been written when the process dies."""
        return sum(1 for job in self.batch if isinstance(job, int))

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting
