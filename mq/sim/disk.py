"""The simulated disk: the twin of `mq.server.disk.FileDisk`, with a memory of what is durable.

What a disk promises is little, and this one keeps no more than that:

* What was written can be read at once. It is durable after a `Sync` of its file; until then a power loss keeps any
  part of it: of each sector of 512 bytes the content before, or after any of the writes since, whatever the order of
  the writes to other sectors, and one sector may be torn at any byte.
* A name is durable after the next `Sync` of its file, or the next `Create` or `Replace` in its folder. Until then the
  changes of one folder's names survive in order: the first few of them, or none, or all (a journal). A removed file may
  come back.
* `Replace` is atomic and durable. `Create` is durable; a power loss in the middle of it leaves no file, an empty one,
  or all of it.
* After a failed `Sync` the system takes the pages for clean: they can still be read, no later `Sync` makes them
  durable, only writing them again does.
* A full disk refuses a `Create` and a `Replace` as a whole; of a `Write` it takes the part that fits.

The end of the process alone (a kill) loses nothing that was written; see `mq.sim.crash` for what a power loss leaves.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Operation, Read, Remove, Replace, Sync, Write

__all__ = ["SECTOR_BYTES", "Piece", "SimDisk", "SimFile", "folder_of", "put"]

SECTOR_BYTES = 512
"""What a disk writes as a whole, if it is no worse than usual."""


class Piece(NamedTuple):
    """The part of an unsynced write that lies in one sector. at: byte in the file."""

    sector: int
    at: int
    data: bytes


class SimFile:
    """One file, whatever its name. content: what a read sees; durable: what surely survives a power loss.

    unsynced: writes since the last sync, in order. doubtful: sectors that a failed sync made clean.
    """

    __slots__ = ("content", "doubtful", "durable", "number", "unsynced")

    def __init__(self, number: int, size_bytes: int = 0) -> None:
        self.number = number
        self.content, self.durable = bytearray(size_bytes), bytearray(size_bytes)
        self.unsynced: list[tuple[int, bytes]] = []
        self.doubtful: set[int] = set()

    def copy(self) -> "SimFile":
        """An independent copy with the same number."""
        other = SimFile(self.number)
        other.content, other.durable = self.content[:], self.durable[:]
        other.unsynced, other.doubtful = self.unsynced[:], set(self.doubtful)
        return other

    def pieces(self) -> Iterator[Piece]:
        """What is not synced, in the order of the writes, cut at the sectors' borders."""
        for at, data in self.unsynced:
            begin = 0
            while begin < len(data):
                sector = (at + begin) // SECTOR_BYTES
                end = min(len(data), (sector + 1) * SECTOR_BYTES - at)
                yield Piece(sector, at + begin, data[begin:end])
                begin = end

    def write(self, at: int, data: bytes) -> None:
        """Into the content; the sectors are dirty (again)."""
        put(self.content, at, data)
        self.unsynced.append((at, data))
        if self.doubtful:
            # A dirty page is written back as a whole, with what a failed sync left in it.
            for sector in range(at // SECTOR_BYTES, (at + max(1, len(data)) - 1) // SECTOR_BYTES + 1):
                if sector in self.doubtful:
                    self.doubtful.discard(sector)
                    begin = sector * SECTOR_BYTES
                    self.unsynced.append((begin, bytes(self.content[begin : begin + SECTOR_BYTES])))

    def sync(self) -> None:
        """All dirty sectors are durable now."""
        if not self.doubtful:
            for at, data in self.unsynced:
                put(self.durable, at, data)
            self.unsynced.clear()
            return
        kept = []
        for piece in self.pieces():
            if piece.sector in self.doubtful:
                kept.append((piece.at, piece.data))
            else:
                put(self.durable, piece.at, piece.data)
        self.unsynced = kept

    def fail_sync(self) -> None:
        """Nobody knows which sectors became durable, and none of them is dirty any more."""
        self.doubtful.update(piece.sector for piece in self.pieces())


def put(content: bytearray, at: int, data: bytes) -> None:
    """Write into a file's bytes; a gap behind its end is filled with zeros."""
    if at > len(content):
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


class SimDisk:
    """A folder of files in memory. capacity_bytes: sum of all file sizes that it can hold; None = endless.

    `failing_syncs`: so many of the next syncs fail. `sync_count`: syncs that were asked for.
    """

    def __init__(self, *, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.failing_syncs = 0
        self.sync_count = 0
        self._made = 0
        self.names: dict[str, SimFile] = {}
        self.durable_names: dict[str, SimFile] = {}
        self.name_changes: dict[str, list[tuple[str, SimFile | None]]] = {}
        """For each folder, in order, what is not durable yet: a file that got its name, or None = the name was removed."""

    # --- the port

    def perform(self, operation: Operation) -> None:
        """Carry out one operation. Raises: DiskFullError, DiskError."""
        match operation:
            case Write(file, at, data):
                self._write(file, at, data)
            case Sync(file):
                self._sync(file)
            case Create(file, size_bytes):
                self._create(file, size_bytes)
            case Replace(file, data):
                self._check_room(file, len(data))
                replaced = SimFile(self.next_number())
                replaced.content[:] = replaced.durable[:] = data
                self._enter_durable(file, replaced)
            case Remove(file):
                if file in self.names:
                    del self.names[file]
                    self.name_changes.setdefault(folder_of(file), []).append((file, None))

    def read(self, read: Read) -> bytes:
        """The bytes asked for; fewer at the end of the file, none for a missing file."""
        found = self.names.get(read.file)
        return bytes(found.content[read.at : read.at + read.size_bytes]) if found is not None else b""

    def files(self) -> Mapping[str, int]:
        """All files with their sizes."""
        return {name: len(found.content) for name, found in sorted(self.names.items())}

    # --- beside the port

    @property
    def used_bytes(self) -> int:
        """Sum of all file sizes."""
        return sum(len(found.content) for found in self.names.values())

    def next_number(self) -> int:
        """The number of a new file; no other file of this disk has it or had it."""
        self._made += 1
        return self._made

    def flip_bit(self, file: str, at: int, bit: int) -> None:
        """The medium changes one bit of a byte. bit: 0 to 7. Raises: IndexError when the file has no such byte."""
        found = self.names[file]
        found.content[at] ^= 1 << bit
        if at < len(found.durable):
            found.durable[at] ^= 1 << bit

    def cut_short(self, file: str, size_bytes: int) -> None:
        """Someone cuts the file at so many bytes."""
        found = self.names[file]
        del found.content[size_bytes:], found.durable[size_bytes:]

    def copy(self) -> "SimDisk":
        """An independent copy, with all that is not durable."""
        other = SimDisk(capacity_bytes=self.capacity_bytes)
        other.failing_syncs, other.sync_count, other._made = self.failing_syncs, self.sync_count, self._made
        copies: dict[int, SimFile] = {}

        def copied(found: SimFile) -> SimFile:
            if found.number not in copies:
                copies[found.number] = found.copy()
            return copies[found.number]

        other.names = {name: copied(found) for name, found in self.names.items()}
        other.durable_names = {name: copied(found) for name, found in self.durable_names.items()}
        other.name_changes = {
            folder: [(name, None if found is None else copied(found)) for name, found in changes]
            for folder, changes in self.name_changes.items()
        }
        return other

    def contents(self) -> dict[str, bytes]:
        """Every file with what a read sees of it."""
        return {name: bytes(found.content) for name, found in sorted(self.names.items())}

    def is_all_durable(self) -> bool:
        """Whether a power loss would change nothing."""
        return not any(self.name_changes.values()) and not any(found.unsynced for found in self.names.values())

    @classmethod
    def of_contents(cls, contents: Mapping[str, bytes]) -> "SimDisk":
        """A disk on which these files lie, durable."""
        disk = cls()
        for name, data in contents.items():
            disk.perform(Replace(name, data))
        return disk

    # --- operations

    def _find(self, file: str) -> SimFile:
        """The file, made if need be; its name is not durable then."""
        found = self.names.get(file)
        if found is None:
            found = self.names[file] = SimFile(self.next_number())
            self.name_changes.setdefault(folder_of(file), []).append((file, found))
        return found

    def _write(self, file: str, at: int, data: bytes) -> None:
        found = self._find(file)
        fits = len(data)
        if self.capacity_bytes is not None:
            growth = at + len(data) - len(found.content)
            fits -= max(0, min(growth - (self.capacity_bytes - self.used_bytes), len(data))) if growth > 0 else 0
        if fits:
            found.write(at, bytes(data[:fits]))
        if fits < len(data):
            raise DiskFullError(f"write of {file}: no space left on the simulated disk")

    def _sync(self, file: str) -> None:
        self.sync_count += 1
        found = self._find(file)
        if self.failing_syncs > 0:
            self.failing_syncs -= 1
            found.fail_sync()
            raise DiskError(f"sync of {file}: the simulated disk failed")
        found.sync()
        self._sync_names(folder_of(file))

    def _create(self, file: str, size_bytes: int) -> None:
        # Like the real one: an older file of that name is gone, whatever comes of the new one.
        if file in self.names:
            self.perform(Remove(file))
        self._check_room(file, size_bytes)
        self._enter_durable(file, SimFile(self.next_number(), size_bytes))

    def _check_room(self, file: str, size_bytes: int) -> None:
        if self.capacity_bytes is not None and self.used_bytes + size_bytes > self.capacity_bytes:
            raise DiskFullError(f"{file}: no space left on the simulated disk for {size_bytes} bytes")

    def _enter_durable(self, file: str, found: SimFile) -> None:
        self.names[file] = found
        self.name_changes.setdefault(folder_of(file), []).append((file, found))
        self._sync_names(folder_of(file))

    def _sync_names(self, folder: str) -> None:
        for name, found in self.name_changes.pop(folder, ()):
            if found is None:
                self.durable_names.pop(name, None)
            else:
                self.durable_names[name] = found


def folder_of(file: str) -> str:
    """The part of a name before its last `/`."""
    return file.rpartition("/")[0]
