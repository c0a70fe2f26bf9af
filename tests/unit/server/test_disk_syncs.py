"""What the disk asks of the system: a sync that is left out costs nothing until the power is gone, so they are counted."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mq.core.ports import Create, Operation, Remove, Replace, Sync, Write
from mq.server import disk as disk_module
from mq.server.disk import FileDisk
from mq.server.synced import HALF_MADE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FileDisk]:
    with closing(FileDisk(tmp_path / "data")) as made:
        yield made


class Syncs:
    """Those that the system is asked for: the name that the file or folder had by then, and how long it was."""

    def __init__(self, disk: FileDisk, patch: pytest.MonkeyPatch) -> None:
        self._folder = disk.folder
        self.asked: list[tuple[str, int]] = []
        patch.setattr(os, "fsync", self._noted(os.fsync))
        patch.setattr(disk_module, "_SYNC_DATA", self._noted(disk_module._SYNC_DATA))

    def _noted(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def noted(descriptor: int) -> None:
            status = os.fstat(descriptor)
            (path,) = (one for one in (self._folder, *self._folder.rglob("*")) if os.path.samestat(one.stat(), status))
            self.asked.append((path.relative_to(self._folder).as_posix(), status.st_size))
            sync(descriptor)

        return noted

    def of(self, name: str) -> list[int]:
        """How long it was with each sync."""
        return [size for one, size in self.asked if one == name]


@pytest.fixture
def syncs(disk: FileDisk, monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(disk, monkeypatch)


def do(disk: FileDisk, *operations: Operation) -> None:
    for operation in operations:
        disk.perform(operation)


@pytest.mark.parametrize("times", [1, 2, 7])
def test_each_sync_is_one_of_the_systems_also_of_a_file_that_was_synced_before(disk: FileDisk, syncs: Syncs, times: int) -> None:
    for number in range(times):
        do(disk, Write("log/a", number, b"1"), Sync("log/a"), Write("log/b", number, b"1"))
    assert syncs.of("log/a") == list(range(1, times + 1))
    assert syncs.of("log/b") == []
    assert disk.sync_count == times
    do(disk, Sync("log/b"))
    assert syncs.of("log/b") == [times]


def test_a_sync_with_nothing_new_in_between_is_one_as_well(disk: FileDisk, syncs: Syncs) -> None:
    """Nobody keeps count of what was written, also not of what an earlier process wrote."""
    do(disk, Write("a", 0, b"1"), Sync("a"), Sync("a"), Sync("a"))
    assert syncs.of("a") == [1, 1, 1]


def test_a_file_is_synced_when_it_is_made_and_when_it_is_written_to_and_synced(disk: FileDisk, syncs: Syncs) -> None:
    do(disk, Create("log/a", 4096))
    assert syncs.of("log/a") == [4096], "its size is part of what is promised"
    do(disk, Write("log/a", 0, b"1"), Sync("log/a"), Create("log/a", 512), Write("log/a", 0, b"1"), Sync("log/a"))
    assert syncs.of("log/a") == [4096, 4096, 512, 512]


def test_a_file_that_is_replaced_has_been_synced_as_a_whole_before_it_has_its_name(disk: FileDisk, syncs: Syncs) -> None:
    sizes = [3, 70_000, 1]
    do(disk, *(Replace("snapshots/a", b"x" * size) for size in sizes))
    assert syncs.of(f"snapshots/a{HALF_MADE}") == sizes
    do(disk, Write("snapshots/a", 0, b"yy"), Sync("snapshots/a"))
    assert syncs.of("snapshots/a") == [2]


@pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="folders cannot be synced there")
def test_a_folder_is_synced_behind_what_is_new_or_gone_in_it(disk: FileDisk, syncs: Syncs) -> None:
    do(disk, Create("log/a", 1), Create("log/b", 1))
    assert (len(syncs.of("log")), len(syncs.of("."))) == (2, 1)
    do(disk, Write("log/a", 0, b"1"), Sync("log/a"), Replace("log/b", b"2"))
    assert (len(syncs.of("log")), len(syncs.of("."))) == (3, 1)
    do(disk, Remove("log/b"))
    assert (len(syncs.of("log")), len(syncs.of("."))) == (4, 1)
    assert syncs.asked[-1][0] == "log", "behind it"
