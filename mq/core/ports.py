"""The border between cores that plan and hosts that do.

A core never touches a disk. It returns a *plan*: a tuple of the operations below, to be carried out in
exactly this order. Where a core needs to read before it can go on, it is a generator of `Read`s that is
sent the bytes (`Steps`). The real disk (`mq.server.disk`) and the simulated one (`mq.sim.disk`) are
twins behind the `Disk` protocol.

Files are named relative to the data folder, with `/` between parts, such as
`log/00000000000000000000.log`.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, cast

__all__ = ["Create", "Disk", "Operation", "Plan", "Read", "Remove", "Replace", "Steps", "Sync", "Write", "drive", "perform"]


@dataclass(frozen=True, slots=True)
class Create:
    """Make `file` with `size_bytes` zero bytes reserved, and make its name durable."""

    file: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Write:
    """Put `data` into `file` from byte `at` on, growing it where needed. Not durable until a `Sync`.

    A file that does not exist yet is made (its name is durable with the next `Sync` of it).
    """

    file: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Sync:
    """Return only when all earlier writes to `file` are durable (fdatasync)."""

    file: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Make `data` the whole content of `file` in one durable step: temporary file, sync, rename, sync folder."""

    file: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete `file`; no error when it is not there."""

    file: str


@dataclass(frozen=True, slots=True)
class Read:
    """Ask for `size_bytes` bytes of `file` from byte `at` on; fewer come back at the file's end."""

    file: str
    at: int
    size_bytes: int


Operation = Create | Write | Sync | Replace | Remove
Plan = tuple[Operation, ...]

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Read, bytes, _T]
"""Yields `Read`s, is sent their bytes one by one, and returns its result."""


class Disk(Protocol):
    """A folder of files. Errors are `mq.core.errors.DiskError` and its kinds."""

    def perform(self, operation: Operation) -> None:
        """Carry out one operation, or raise; after a failed `Sync` nothing unsynced may be trusted."""

    def read(self, read: Read) -> bytes:
        """The bytes asked for; fewer at the end of the file; none for a missing file."""

    def files(self) -> Mapping[str, int]:
        """All files with their sizes in bytes."""


def perform(disk: Disk, plan: Plan) -> None:
    """Carry out a plan, in order."""
    for operation in plan:
        disk.perform(operation)


def drive(steps: Steps[_T], disk: Disk) -> _T:
    """Run a reading core to its end on a disk and return its result."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(disk.read(wanted))
    except StopIteration as done:
        return cast(_T, done.value)
