"""What a power cut takes away: never what was synced, and of the rest what the seed says."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from mq.core.ports import Create, Operation, Read, Remove, Replace, Sync, Write
from mq.server.disk import FileDisk
from mq.server.faults import FaultFile, FaultyDisk
from mq.server.page_cache import SECTOR_BYTES, WAYS


def seed_of(way: str) -> int:
    """The first one by which power is lost in this way."""
    return next(seed for seed in count() if way_of(seed) == way)


def way_of(seed: int) -> str:
    """In which power is lost."""
    return Random(f"power {seed}").choices(list(WAYS), list(WAYS.values()))[0]


class Watched:
    """A disk without faults, and what it remembers."""

    def __init__(self, folder: Path, disk_class: type[FaultyDisk] = FaultyDisk) -> None:
        self.folder = folder
        self.disk = disk_class(folder, FaultFile(folder.with_suffix(".json")))
        self.cache = self.disk._cache

    def do(self, *operations: Operation) -> None:
        for operation in operations:
            self.disk.perform(operation)

    def content(self, file: str) -> bytes:
        return self.disk.read(Read(file, 0, 1 << 20))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path / "data")
    yield found
    found.disk.close()


def test_nothing_survives_of_what_was_written_again_and_again_since_the_last_sync(watched: Watched) -> None:
    old = bytes(range(256)) * 8
    watched.do(Write("a", 0, old), Sync("a"))
    watched.do(Write("a", 500, b"x" * 600), Write("a", 900, b"y" * 1200), Write("a", 4000, b"z" * 3000))
    told = watched.cache.lose(seed_of("nothing"))
    assert watched.content("a") == old
    assert told == "nothing of 12 sectors not synced survived, 12 were lost"


def test_a_file_that_was_never_synced_is_not_there_and_one_that_was_replaced_or_removed_stays_so(watched: Watched) -> None:
    watched.do(Write("made", 0, b"1"), Write("replaced", 0, b"1"), Write("removed", 0, b"1"), Write("created", 0, b"1"))
    watched.do(Replace("replaced", b"2"), Remove("removed"), Create("created", 3))
    watched.cache.lose(seed_of("nothing"))
    assert watched.disk.files() == {"replaced": 1, "created": 3}
    assert watched.content("replaced") == b"2"


def test_everything_may_survive(watched: Watched) -> None:
    watched.do(Write("a", 0, b"old"), Sync("a"), Write("a", 1, b"new"))
    watched.cache.lose(seed_of("everything"))
    assert watched.content("a") == b"onew"


@pytest.mark.parametrize("way", ["a beginning", "anything"])
def test_what_survives_of_each_sector_is_as_it_was_or_as_it_is_but_for_one_that_is_torn(way: str, watched: Watched) -> None:
    seeds = [seed for seed in range(200) if way_of(seed) == way]
    sectors, patterns = 6, set[str]()
    for seed in seeds:
        old, new = b"o" * (sectors - 2) * SECTOR_BYTES, b"n" * sectors * SECTOR_BYTES
        watched.do(Remove("a"), Write("a", 0, old), Sync("a"), Write("a", 0, new))
        watched.cache.lose(seed)
        content = watched.content("a")
        assert len(content) >= len(old)
        pieces = [content[at : at + SECTOR_BYTES] for at in range(0, len(content), SECTOR_BYTES)]
        kinds = [set(piece) for piece in pieces]
        torn = [kind for kind in kinds if len(kind) > 1]
        assert len(torn) <= (way == "a beginning")
        pattern = "".join("?" if len(kind) > 1 else chr(kind.pop()) for kind in kinds)
        if way == "a beginning":
            assert pattern.rstrip("o").strip("n") in ("", "?"), pattern
        patterns.add(pattern)
    assert len(patterns) > 4


def test_a_seed_says_all(tmp_path: Path) -> None:
    def after(folder: Path) -> bytes:
        watched = Watched(folder)
        watched.do(*(Write("a", at, bytes([at % 251])) for at in range(0, 9000, 100)))
        watched.cache.lose(17)
        watched.disk.close()
        return watched.content("a")

    assert after(tmp_path / "one") == after(tmp_path / "two")


def test_what_is_lost_once_is_not_lost_again(watched: Watched) -> None:
    watched.do(Write("a", 0, b"old"), Sync("a"), Write("a", 0, b"new"))
    watched.cache.lose(seed_of("nothing"))
    (watched.folder / "a").write_bytes(b"NEW")
    watched.cache.lose(seed_of("nothing"))
    assert watched.content("a") == b"NEW"


# --- a disk that only says that it has synced


class SyncsOnce(FileDisk):
    """Each file is synced once in a process's life, together with its name."""

    def _sync(self, file: str) -> None:
        if file not in self._durable_files:
            super()._sync(file)


class NeverSyncs(FileDisk):
    def _sync(self, file: str) -> None:
        self._sync_names(file)


class MakesUnsynced(FileDisk):
    def _create(self, file: str, size_bytes: int) -> None:
        os.ftruncate(self._descriptor(file), size_bytes)
        self._sync_names(file)


class ReplacesUnsynced(FileDisk):
    def _replace(self, file: str, data: bytes) -> None:
        self._forget(file)
        (self.folder / "half").write_bytes(data)
        (self.folder / "half").replace(self.folder / file)
        self._sync_names(file)


def played(disk_class: type[FileDisk]) -> type[FaultyDisk]:
    """The same one, with faults."""
    return type("Played", (FaultyDisk, disk_class), {})


@pytest.mark.parametrize(
    ("disk_class", "operations", "survives"),
    [
        (FileDisk, (Write("a", 0, b"1"), Sync("a"), Write("a", 1, b"2"), Sync("a")), b"12"),
        (SyncsOnce, (Write("a", 0, b"1"), Sync("a"), Write("a", 1, b"2"), Sync("a")), b"1"),
        (SyncsOnce, (Create("a", 2), Write("a", 0, b"1"), Sync("a")), b"\0\0"),
        (NeverSyncs, (Write("a", 0, b"1"), Sync("a")), b""),
        (NeverSyncs, (Replace("a", b"0"), Write("a", 0, b"1"), Sync("a")), b"0"),
        (FileDisk, (Create("a", 2), Write("a", 0, b"1")), b"\0\0"),
        (MakesUnsynced, (Create("a", 2), Write("a", 0, b"1")), b""),
        (MakesUnsynced, (Create("a", 2), Write("a", 0, b"1"), Sync("a")), b"1\0"),
        (FileDisk, (Write("a", 0, b"old"), Sync("a"), Replace("a", b"new")), b"new"),
        (ReplacesUnsynced, (Write("a", 0, b"old"), Sync("a"), Replace("a", b"new")), b""),
        (ReplacesUnsynced, (Replace("a", b"new"), Write("a", 0, b"N"), Sync("a")), b"New"),
    ],
)
def test_what_was_not_really_synced_is_lost_whatever_the_operation_was_called(
    disk_class: type[FileDisk], operations: tuple[Operation, ...], survives: bytes, tmp_path: Path
) -> None:
    watched = Watched(tmp_path / "data", played(disk_class))
    watched.do(*operations)
    watched.cache.lose(seed_of("nothing"))
    assert watched.content("a") == survives
    watched.disk.close()
