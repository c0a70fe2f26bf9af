"""What a Raft node needs of its log and of chance. The broker's `CommitLog` is such a log; `random.Random` such a chance."""

from collections.abc import Sequence
from typing import Protocol

from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan

__all__ = ["Chance", "LogStorage"]


class LogStorage(Protocol):
    """A log that plans and is told what became durable.

    Appends become durable in order: `synced(n)` speaks of all up to n. What is appended can be asked for at once.
    """

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry that is kept; last_index + 1 when there is none."""

    @property
    def last_index(self) -> LogIndex:
        """Of the newest entry, durable or not; first_index - 1 when there is none."""

    @property
    def durable_index(self) -> LogIndex:
        """Of the newest entry that is durable and that no append after it supersedes."""

    @property
    def hard_state(self) -> HardState:
        """The newest term and vote, durable or not."""

    @property
    def is_damaged(self) -> bool:
        """Whether entries that were durable cannot be read any more."""

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry, or of the one before the first; None for what is not there."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """Put entries behind `after_index` and, in the same durable step, take what stood there out of the log.

        hard_state: saved in the same step; entries may be empty then.
        """

    def synced(self, sequence: int) -> None:
        """The appends up to this one are durable."""

    def abandon(self, sequence: int) -> None:
        """The newest append could not be carried out: the log is as before it."""

    def drop_before(self, index: LogIndex) -> Plan:
        """Forget entries below `index`, or some of them."""

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """In one durable step: forget all entries. The next one follows `last`, which a snapshot stands for."""


class Chance(Protocol):
    """Where random numbers come from."""

    def randrange(self, start: int, stop: int, /) -> int:
        """A whole number from `start` to `stop` - 1."""
