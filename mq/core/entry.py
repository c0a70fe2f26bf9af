"""What the log holds: entries, and the hard state of a Raft node."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Plan

__all__ = ["Appended", "Entry", "EntryKind", "HardState", "RecordPlace"]


class EntryKind(IntEnum):
    """What an entry's payload is. The number is written to disk: never reuse one."""

    NOOP = 0
    """A new leader's first entry; empty payload. Paper: Raft, section 8."""
    COMMAND = 1
    """A command of the broker's state machine (`mq.broker.commands`)."""
    CONFIGURATION = 2
    """A change of the group's members."""


class Entry(NamedTuple):
    """One numbered entry of the log.

    index: from 1, dense. term: 0 with a single node. payload: opaque bytes for the log.
    """

    index: LogIndex  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
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


@dataclass(frozen=True, slots=True)
class Appended:
    """What appending to a log came to.

    plan: to be carried out; places: of the entries' records; sequence: what to call it when it is durable.
    """

    plan: Plan
    places: tuple[RecordPlace, ...]
    sequence: int
