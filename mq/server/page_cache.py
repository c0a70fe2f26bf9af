"""What a power cut takes away: what was written to a disk and not synced. For disks on which faults are played.

The end of a process loses nothing that was written, so no number of kills shows that a sync is missing. This remembers, of each
sector that was written to, what stood there when the file was last synced, and can put that back. What survives, when a real
disk loses its power, nobody knows: nothing, everything, what was written first, or any sectors in any order, as
`mq.sim.disk` says it.

What is synced it is told behind the system's own call, so that one that was left out is missing here, too. Names it takes for
durable at once, with or without a sync of their folder: a file that was removed never comes back, one that was made or replaced
never goes, and only one that was made by writing to it and never synced is not there. That names are synced as well, a test
has to show by other means.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mq.core.ports import Create, Operation, Remove, Replace, Write

__all__ = ["SECTOR_BYTES", "WAYS", "PageCache"]

SECTOR_BYTES = 512
"""What a disk writes as a whole."""
WAYS = {"nothing": 4, "everything": 1, "a beginning": 2, "anything": 2}
"""What may survive of all that is not synced, by how often. Of a beginning the last sector may be torn at any byte."""


@dataclass(slots=True)
class _File:
    """size: when it was synced last; None when it was not there. sectors: what stood there then, by number.

    written_s: when it was written to last.
    """

    size: int | None
    sectors: dict[int, bytes] = field(default_factory=dict)
    written_s: float = 0.0


class PageCache:
    """Of one folder. Belongs to whoever writes there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    def will_write(self, write: Write) -> None:
        """Note what this write is about to change."""
        try:
            descriptor = os.open(self._folder / write.file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            self._files[write.file] = _File(None, dict.fromkeys(_sectors(write), b""), time.monotonic())
            return
        try:
            found = self._files.get(write.file)
            if found is None:
                found = self._files[write.file] = _File(os.fstat(descriptor).st_size)
            found.written_s = time.monotonic()
            new = [number for number in _sectors(write) if number not in found.sectors]
            if new:
                first = new[0]
                before = os.pread(descriptor, (new[-1] - first + 1) * SECTOR_BYTES, first * SECTOR_BYTES)
                for number in new:
                    begin = (number - first) * SECTOR_BYTES
                    found.sectors[number] = before[begin : begin + SECTOR_BYTES]
        finally:
            os.close(descriptor)

    def is_left(self, file: str, for_s: float) -> bool:
        """Whether it is not synced, and nobody wrote to it for so long."""
        found = self._files.get(file)
        return found is not None and time.monotonic() - found.written_s >= for_s

    def is_synced(self, file: str) -> None:
        """The system has just said so: all that was written to it by now is durable."""
        self._files.pop(file, None)

    def is_done_unsynced(self, operation: Operation) -> None:
        """This was carried out, and no sync of its file with it: one that is another one now has a name and nothing else."""
        match operation:
            case Create(file):
                self._files[file] = _File(0)
            case Replace(file, data):
                self._files[file] = _File(0, dict.fromkeys(_sectors(Write(file, 0, data)), b""), time.monotonic())
            case Remove(file):
                self._files.pop(file, None)

    def lose(self, seed: int, file: str | None = None) -> str:
        """Take away what is not synced, all of it or a part: in one of the ways, by the seed. Returns what was done.

        file: of this one alone; None for all.
        """
        rng = Random(f"power {seed}")  # noqa: S311 - repeatable is what it has to be
        (way,) = rng.choices(list(WAYS), list(WAYS.values()))
        chosen = [name for name in self._files if file in (None, name)]
        count = sum(len(self._files[name].sectors) for name in chosen)
        kept = {"nothing": 0, "everything": count, "a beginning": rng.randrange(count + 1)}.get(way, 0)
        lost = 0
        for name in chosen:
            found = self._files.pop(name)
            path = self._folder / name
            survivors: dict[int, int] = {}  # how many bytes of each sector
            for number in found.sectors:
                whole = rng.random() < 0.5 if way == "anything" else kept > 0
                torn = rng.randrange(SECTOR_BYTES) if way == "a beginning" and kept == 0 else 0
                survivors[number] = SECTOR_BYTES if whole else torn
                kept -= 1
                lost += not whole
            if path.exists():
                _put_back(path, found, survivors)
        return f"{way} of {count} sectors not synced survived, {lost} were lost"


def _sectors(write: Write) -> range:
    return range(write.at // SECTOR_BYTES, (write.at + len(write.data) + SECTOR_BYTES - 1) // SECTOR_BYTES)


def _put_back(path: Path, before: _File, survivors: dict[int, int]) -> None:
    """survivors: how many bytes of each sector stay as they are now; what follows them is as it was."""
    size = before.size or 0
    with path.open("r+b") as file:
        for number, old in before.sectors.items():
            file.seek(number * SECTOR_BYTES)
            now = file.read(SECTOR_BYTES)
            kept = now[: survivors[number]]
            if kept:
                size = max(size, number * SECTOR_BYTES + len(kept))
            file.seek(number * SECTOR_BYTES)
            file.write((kept + old[len(kept) :]).ljust(len(now), b"\0"))
        file.truncate(size)
    if before.size is None and not any(survivors.values()):
        path.unlink()
