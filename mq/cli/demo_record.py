"""What the demo's two customers wrote down: which order was acknowledged, refused or consumed, and when."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

__all__ = ["DONE", "FAILED", "Record", "gap_ms", "lost_of", "read_record"]

DONE, FAILED = "done", "failed"
"""What became of one order, as it stands in the files."""


class Record(NamedTuple):
    """One line: milliseconds of the wall clock, the order's number, and whether it was done, or a send failed.

    broker: the group that acknowledged it; empty of what was consumed.
    """

    wall_ms: int
    order: int
    outcome: str
    broker: str = ""


def read_record(path: Path, outcome: str = DONE) -> list[Record]:
    """The whole lines of a file with this outcome, in their order."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    found = [Record(int(wall_ms), int(order), *rest) for wall_ms, order, *rest in (line.split() for line in lines)]
    return [record for record in found if record.outcome == outcome]


def gap_ms(acked: list[Record], killed_ms: int) -> int | None:
    """The longest time without an acknowledgement that ended after the kill; None when all was sent before it."""
    gaps = [later.wall_ms - earlier.wall_ms for earlier, later in pairwise(acked) if later.wall_ms >= killed_ms]
    return max(gaps, default=None)


def lost_of(acked: list[Record], consumed: list[Record]) -> set[int]:
    """Orders that were acknowledged and never consumed."""
    return {record.order for record in acked} - {record.order for record in consumed}
