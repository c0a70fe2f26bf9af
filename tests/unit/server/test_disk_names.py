"""The real disk makes names durable, too: a synced file that no folder names is lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mq.core.ports import Create, Operation, Replace, Sync, Write
from mq.server.disk import FileDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FileDisk]:
    with closing(FileDisk(tmp_path / "data")) as made:
        yield made


@pytest.fixture
def synced(disk: FileDisk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are synced, in order, named from the data folder."""
    seen: list[str] = []
    monkeypatch.setattr(disk, "_sync_folder", lambda folder: seen.append(folder.relative_to(disk.folder).as_posix()))
    return seen


@pytest.mark.parametrize(
    ("operations", "folders"),
    [
        ((Create("log/0.log", 8),), ["log", "."]),
        ((Create("log/0.log", 8), Create("log/8.log", 8)), ["log", ".", "log"]),
        ((Write("queues/t/0/0.cq", 0, b"x"),), []),
        ((Write("queues/t/0/0.cq", 0, b"x"), Sync("queues/t/0/0.cq")), ["queues/t/0", "queues/t", "queues", "."]),
        ((Write("q/0.cq", 0, b"x"), Write("q/1.cq", 0, b"x"), Sync("q/1.cq"), Sync("q/0.cq")), ["q", ".", "q"]),
        ((Write("top", 0, b"x"), Sync("top"), Write("top", 1, b"x"), Sync("top")), ["."]),
        ((Replace("snapshots/1.snap", b"x"), Replace("snapshots/1.snap", b"y")), ["snapshots", ".", "snapshots"]),
    ],
    ids=["create", "create two", "write alone", "deep", "two names, one sync of their folder", "once", "replace"],
)
def test_new_names_and_new_folders_are_synced_with_their_file(
    operations: tuple[Operation, ...], folders: list[str], disk: FileDisk, synced: list[str]
) -> None:
    for operation in operations:
        disk.perform(operation)
    assert synced == folders


def test_names_that_an_earlier_process_left_behind_are_synced_once(disk: FileDisk, synced: list[str]) -> None:
    disk.perform(Write("log/0.log", 0, b"x"))  # and killed before the sync
    disk.close()
    with closing(FileDisk(disk.folder)) as again:
        again._sync_folder = lambda folder: synced.append(folder.name)  # type: ignore[method-assign]
        for _ in range(3):
            again.perform(Write("log/0.log", 0, b"y"))
            again.perform(Sync("log/0.log"))
    assert synced == ["log", "data"]
