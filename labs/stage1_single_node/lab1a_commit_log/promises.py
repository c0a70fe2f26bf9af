"""What a log promises, and how a broken promise is told."""

from collections.abc import Sequence

from labs.grader.suite import PromiseBrokenError, rule
from mq.sim.disk import SimDisk

__all__ = ["broken"]

_PROMISES = {
    1: "An append is one group: written behind all others, then synced",
    2: "A record's place says where its bytes lie",
    3: "Each group lies in one segment, and a segment's header is durable before a group stands behind it",
    4: "What is appended can be seen at once, and counts as durable only when it was synced",
    5: "What is read is verified, and is what was appended",
    6: "What was synced is found again after every crash, and nothing else is invented",
    7: "A torn write is cut off",
    8: "Damage below the durable end is reported, and nothing is changed",
    9: "What was recovered is durable when the repairs are carried out",
    10: "The later group wins",
    11: "A mark says how far everything is durable",
    12: "An append that found no room never was",
    13: "Retention removes whole segments, never the last one, and nothing that is not durable",
}
"""The rules of the log, by number; the README of the lab says each of them at length."""


def broken(
    number: int, *, expected: str, found: str, disks: Sequence[tuple[str, SimDisk]] = (), read: str = ""
) -> PromiseBrokenError:
    """A rule of the log does not hold. read: what else is worth reading, behind the rule's number."""
    return PromiseBrokenError(_PROMISES[number], expected=expected, found=found, section=f"{rule(number)}{read}", disks=disks)
