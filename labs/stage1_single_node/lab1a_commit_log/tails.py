"""Torn writes: where one stands on a disk, and what is told when a log judged it wrong.

What is torn is what stands behind the last whole group of the newest segment. Nothing proves that it was synced.
"""

from collections.abc import Sequence
from typing import NamedTuple

from labs.grader.suite import PromiseBrokenError
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from mq.broker.store.log_view import Damage
from mq.sim.disk import SimDisk
from mq.sim.disk_layout import Condition, layout_of

__all__ = ["LEFT_TORN", "Opening", "Tail", "damage_told", "left_torn", "no_damage", "tail_of"]


LEFT_TORN = ", and rule 7, methods `_Recovery._judge_end` and `_Recovery._cut`"
"""What is worth reading when `left_torn` has pictures."""


class Tail(NamedTuple):
    """Bytes at to end of a file; the last of them is not zero."""

    file: str
    at: int
    end: int

    def __str__(self) -> str:
        return f"{self.file}, bytes {self.at} to {self.end}"


class Opening(NamedTuple):
    """A log was opened. before, after: the disk, and what the repairs made of it."""

    before: SimDisk
    after: SimDisk


def tail_of(disk: SimDisk) -> Tail | None:
    """The torn write of a disk; None when there is none."""
    layouts = layout_of(disk)
    if not layouts:
        return None
    newest = layouts[-1]
    torn = [box for box in newest.boxes if box.kind == "rest" and box.condition is Condition.TORN]
    return Tail(newest.file, torn[0].at, torn[0].at + torn[0].size_bytes) if torn else None


def damage_told(damage: Damage) -> str:
    """What `recover` reported, in a sentence."""
    return f"`recover` reports damage in {damage.file}, byte {damage.at}: {damage.reason}"


def no_damage(
    damage: Damage, why: str, disks: Sequence[tuple[str, SimDisk]], openings: Sequence[Opening] = ()
) -> PromiseBrokenError:
    """Damage is reported where there is none. why: more of what is expected; disks: the first one is as the crash left it.

    openings: those before this one.
    """
    tail = tail_of(disks[0][1]) if disks else None
    if tail is not None and damage.file == tail.file and damage.at >= tail.at:
        return broken(
            7,
            expected=f"the log opens without damage{why}: {tail} are of a write that was never synced; it is torn, and is cut",
            found=damage_told(damage),
            disks=disks,
            read=", and method `_Recovery._judge_end`",
        )
    left = left_torn(openings)
    return broken(
        8,
        expected=f"the log opens without damage{why}: nothing that was synced has changed",
        found=damage_told(damage),
        disks=[*left, *disks],
        read=LEFT_TORN if left else "",
    )


def left_torn(openings: Sequence[Opening]) -> list[tuple[str, SimDisk]]:
    """Pictures of the first opening that left torn bytes where they were; none when none did."""
    for before, after in openings:
        tail = tail_of(before)
        if tail is not None and any(after.contents().get(tail.file, b"")[tail.at : tail.end]):
            return [("at an opening before this one: what the crash left", before), ("that opening left the torn bytes", after)]
    return []
