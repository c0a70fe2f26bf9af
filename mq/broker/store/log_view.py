"""What the commit log says about itself: plain data for its host, for checkers, consoles and notebooks."""

from dataclasses import dataclass
from typing import NamedTuple

from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.ports import Plan

__all__ = ["Appended", "Damage", "Recovery", "SegmentView", "StoredEntry", "TornTail"]


class StoredEntry(NamedTuple):
    """An entry, and where it lies."""

    entry: Entry
    place: RecordPlace


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One segment file. first_index: of the entry that comes first in it; last_index: first_index - 1 when it has none.

    written_bytes: up to the end of its last group; all of it for a sealed one that opening passed over.
    """

    file: str
    base_position: int
    size_bytes: int
    first_index: int
    last_index: int
    is_sealed: bool
    written_bytes: int


@dataclass(frozen=True, slots=True)
class TornTail:
    """What a crash left of a write that was never synced. size_bytes: from `at` to the last byte that is not zero."""

    file: str
    at: int
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Synced bytes that are not what was written.

    first_index: of the first entry that is affected.
    resumes_at: the first position behind the damage where a group's header is whole again, or None.
    """

    file: str
    at: int
    position: int
    reason: str
    first_index: int
    resumes_at: int | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log came to. repairs: to be carried out before anything else; none when there is damage."""

    first_index: int
    last_index: int
    last_term: int
    hard_state: HardState
    end_position: int
    durable_end: int
    torn: TornTail | None
    damage: tuple[Damage, ...]
    repairs: Plan
    scanned_bytes: int
