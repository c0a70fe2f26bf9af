"""What a power loss leaves on a simulated disk: one outcome drawn by chance, or all of them one by one.

An outcome says for each sector how many of the unsynced writes to it arrived, where one of them is torn, and how many
of each folder's changes of names survive. All outcomes of a few unsynced sectors can be tried; of many there are too
many (2 to the power of their number and more), then a sample is taken, always with the ones that hurt most: nothing,
everything, each place where writing in order may have stopped, each sector alone, each sector missing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from random import Random

from mq.core.ports import Create, Operation, Sync
from mq.sim.disk import SECTOR_BYTES, Piece, SimDisk, SimFile, put

__all__ = ["CrashPoint", "CrashPoints", "Survival", "after_power_loss", "draw_survival", "unsynced_files"]

SectorId = tuple[int, int]
"""(number of the file, number of the sector in it)."""


@dataclass(frozen=True, slots=True)
class Survival:
    """What a power loss leaves. sectors: writes to each that arrived, none where it is not named.

    torn: a sector of whose next write only so many bytes arrived. names: changes of names in each folder that survive.
    sizes: files whose new size survives although what was written there did not (they end in zeros).
    """

    sectors: Mapping[SectorId, int] = field(default_factory=dict)
    torn: tuple[SectorId, int] | None = None
    names: Mapping[str, int] = field(default_factory=dict)
    sizes: frozenset[int] = frozenset()


def after_power_loss(disk: SimDisk, survival: Survival) -> SimDisk:
    """The disk as it is found when the power comes back; the one that is given stays as it is."""
    left = SimDisk(capacity_bytes=disk.capacity_bytes)
    left.sync_count = disk.sync_count
    names = dict(disk.durable_names)
    for folder, changes in disk.name_changes.items():
        for name, found in changes[: survival.names.get(folder, 0)]:
            if found is None:
                names.pop(name, None)
            else:
                names[name] = found
    for name, found in sorted(names.items()):
        kept = left.names[name] = left.durable_names[name] = SimFile(left.next_number())
        kept.durable[:] = _surviving_bytes(found, survival)
        kept.content[:] = kept.durable
    return left


def _surviving_bytes(found: SimFile, survival: Survival) -> bytearray:
    content, seen = found.durable[:], dict[int, int]()
    for sector, at, data in found.pieces():
        count = seen[sector] = seen.get(sector, 0) + 1
        arrived = survival.sectors.get((found.number, sector), 0)
        if count <= arrived:
            put(content, at, data)
        elif count == arrived + 1 and survival.torn is not None and survival.torn[0] == (found.number, sector):
            put(content, at, data[: survival.torn[1]])
    if found.number in survival.sizes and len(found.content) > len(content):
        content.extend(bytes(len(found.content) - len(content)))
    return content


def unsynced_files(disk: SimDisk) -> list[tuple[SimFile, list[Piece]]]:
    """Files that may survive a power loss and are not durable as they are, with what is not."""
    files = {found.number: found for found in disk.durable_names.values()}
    for changes in disk.name_changes.values():
        files.update({found.number: found for _, found in changes if found is not None})
    return [(found, list(found.pieces())) for _, found in sorted(files.items()) if found.unsynced]


def _all_names(disk: SimDisk) -> dict[str, int]:
    return {folder: len(changes) for folder, changes in disk.name_changes.items()}


def _in_order(number: int, pieces: list[Piece], size_bytes: int) -> tuple[dict[SectorId, int], tuple[SectorId, int] | None]:
    """The first `size_bytes` of what was written to a file arrived, in the order of writing."""
    sectors: dict[SectorId, int] = {}
    for sector, _, data in pieces:
        if size_bytes < len(data):
            return sectors, ((number, sector), size_bytes) if size_bytes > 0 else None
        size_bytes -= len(data)
        sectors[number, sector] = sectors.get((number, sector), 0) + 1
    return sectors, None


def _counts(number: int, pieces: list[Piece]) -> dict[SectorId, int]:
    return _in_order(number, pieces, sum(len(piece.data) for piece in pieces))[0]


# --- by chance


def draw_survival(disk: SimDisk, rng: Random) -> Survival:
    """An outcome by chance: each file loses all, nothing, what came after some byte, or any sectors; names likewise."""
    sectors: dict[SectorId, int] = {}
    torn = None
    sizes = set()
    for found, pieces in unsynced_files(disk):
        way = rng.randrange(4)
        if way == 0:
            sectors.update(_counts(found.number, pieces))
        elif way == 1:
            total = sum(len(piece.data) for piece in pieces)
            kept, torn_here = _in_order(found.number, pieces, rng.randrange(total + 1))
            sectors.update(kept)
            torn = torn_here or torn
        elif way == 2:
            for sector, count in _counts(found.number, pieces).items():
                sectors[sector] = rng.randint(0, count)
        if rng.randrange(4) == 0:
            sizes.add(found.number)
    names = {folder: rng.randint(0, count) for folder, count in _all_names(disk).items()}
    return Survival(sectors, torn, names, frozenset(sizes))


# --- one by one


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One state of the disk that a power loss can leave. note: in words, how it comes about."""

    note: str
    disk: SimDisk


class CrashPoints:
    """Enumerates what power losses can leave while a plan is carried out, each distinct state once.

    subsets_max: so many combinations of sectors are tried at each point; where there are more, they are drawn from
    `rng`. After it: `exhaustive` and `sampled` points, `states` yielded and `repeated` ones left out.
    """

    def __init__(self, rng: Random, *, subsets_max: int = 64, every_byte: bool = True) -> None:
        self._rng, self._subsets_max, self._every_byte = rng, subsets_max, every_byte
        self._seen: set[int] = set()
        self.exhaustive = self.sampled = self.states = self.repeated = 0

    def forget(self) -> None:
        """States that were seen count as new again: something else is expected of them now."""
        self._seen.clear()

    def during(self, disk: SimDisk, plan: Iterable[Operation]) -> Iterator[CrashPoint]:
        """Carry out a plan on the disk; yield what a power loss leaves before, between, in and after its operations.

        Raises: what the disk raises, after the states of that moment.
        """
        yield from self.at(disk, "before the plan")
        for number, operation in enumerate(plan, 1):
            yield from self._in_the_middle(disk, operation, f"in the middle of operation {number}")
            disk.perform(operation)
            yield from self.at(disk, f"after operation {number}, a {type(operation).__name__.lower()}")

    def at(self, disk: SimDisk, moment: str) -> Iterator[CrashPoint]:
        """What a power loss can leave at this moment."""
        for note, survival in self._survivals(disk):
            yield from self._if_new(f"{moment}: {note}", after_power_loss(disk, survival))

    def _if_new(self, note: str, left: SimDisk) -> Iterator[CrashPoint]:
        mark = hash(tuple(left.contents().items()))
        if mark in self._seen:
            self.repeated += 1
            return
        self._seen.add(mark)
        self.states += 1
        yield CrashPoint(note, left)

    def _in_the_middle(self, disk: SimDisk, operation: Operation, moment: str) -> Iterator[CrashPoint]:
        """A file that was being made may be there and empty; what a sync had already done counts as if it were unsynced."""
        if isinstance(operation, Create):
            half = disk.copy()
            half.failing_syncs = 0
            half.names.pop(operation.file, None)
            half.perform(Sync(operation.file))
            everything = Survival(
                {s: n for f, p in unsynced_files(half) for s, n in _counts(f.number, p).items()}, names=_all_names(half)
            )
            for survival in (Survival(), everything):
                yield from self._if_new(f"{moment}: the new file is empty", after_power_loss(half, survival))

    def _survivals(self, disk: SimDisk) -> Iterator[tuple[str, Survival]]:
        files, names = unsynced_files(disk), _all_names(disk)
        counts = {s: n for found, pieces in files for s, n in _counts(found.number, pieces).items()}
        sizes = frozenset(found.number for found, _ in files)
        yield "nothing of what was not synced is left", Survival()
        yield "everything is left", Survival(counts, names=names)
        yield "the sizes are left, the data is not", Survival(names=names, sizes=sizes)
        for kept in product(*(range(count + 1) for count in names.values())):
            chosen = dict(zip(names, kept, strict=True))
            yield f"of the names, {sum(kept)} change(s) are left", Survival(counts, names=chosen)
            yield f"of the names, {sum(kept)} change(s) are left, of the data nothing", Survival(names=chosen)
        for found, pieces in files:
            yield from self._stops(found, pieces, names)
        yield from self._subsets(counts, names)

    def _stops(self, found: SimFile, pieces: list[Piece], names: Mapping[str, int]) -> Iterator[tuple[str, Survival]]:
        """Writing in order stopped at each byte (or around each sector's border)."""
        total, at = sum(len(piece.data) for piece in pieces), 0
        borders = {0, total}
        for piece in pieces:
            borders.update((at, at + 1, at + len(piece.data) // 2))
            at += len(piece.data)
        for size_bytes in range(total + 1) if self._every_byte else sorted(borders):
            sectors, torn = _in_order(found.number, pieces, size_bytes)
            yield f"{size_bytes} of {total} unsynced bytes of one file arrived", Survival(sectors, torn, names)

    def _subsets(self, counts: Mapping[SectorId, int], names: Mapping[str, int]) -> Iterator[tuple[str, Survival]]:
        """Any combination of what the sectors may hold."""
        possible = 1
        for count in counts.values():
            possible *= count + 1
        if possible <= self._subsets_max:
            self.exhaustive += 1
            for chosen in product(*(range(count + 1) for count in counts.values())):
                yield _some(dict(zip(counts, chosen, strict=True)), names)
            return
        self.sampled += 1
        for sector, count in counts.items():
            yield _some({sector: count}, names)
            yield _some({**counts, sector: 0}, names)
        for _ in range(self._subsets_max):
            yield _some({sector: self._rng.randint(0, count) for sector, count in counts.items()}, names)


def _some(sectors: Mapping[SectorId, int], names: Mapping[str, int]) -> tuple[str, Survival]:
    arrived = ", ".join(f"{sector}:{count}" for (_, sector), count in sectors.items() if count)
    return f"of the sectors of {SECTOR_BYTES} bytes these arrived: {arrived or 'none'}", Survival(sectors, names=names)
