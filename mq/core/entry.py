"""What the log holds: entries, and the hard state of a Raft node."""

from dataclasses import dataclass
from enum import IntEnum

from mq.core.ids import CommitLogPosition, LogIndex, Term

__all__ = ["Entry", "EntryKind", "HardState", "RecordPlace"]


class EntryKind(IntEnum):
    """What an entry's payload is. The number is written to disk: never reuse one."""

    NOOP = 0
    """A new leader's first entry; empty payload. Paper: Raft, section 8."""
    COMMAND = 1
    """A command of the broker's state machine (`mq.broker.commands`)."""
    CONFIGURATION = 2
    """A change of the group's members."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered entry of the log.

    index: from 1, dense. term: 0 with a single node. payload: opaque bytes for the log.
    """

    index: LogIndex
    term: Term
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class HardState:
    """What a Raft node must never forget: saved before any answer leaves. Paper: Raft, figure 2.

    vote: the node id that got this node's vote in `term`, or None.
    """

    term: Term
    vote: int | None


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a stored entry lies: its first byte and its whole size, header included."""

    position: CommitLogPosition
    size_bytes: int
