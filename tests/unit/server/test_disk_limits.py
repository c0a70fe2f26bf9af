"""What the disk says when the system has nothing left to give."""

import errno
import os
from pathlib import Path

import pytest

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Operation, Read, Sync, Write
from mq.server import disk as disk_module
from mq.server.disk import FileDisk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENFILE])
def test_what_did_not_begin_is_definite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    disk = FileDisk(tmp_path)

    def no_more(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", no_more)
    for operation in (Create("log/a", 4096), Write("log/b", 0, b"x")):
        with pytest.raises(DiskFullError) as refused:
            disk.perform(operation)
        assert refused.value.definite
    monkeypatch.undo()
    disk.perform(Create("log/a", 4096))
    disk.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_sync_that_fails_is_never_definite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    disk = FileDisk(tmp_path)
    disk.perform(Write("log/a", 0, b"x"))

    def broken(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk_module, "_SYNC_DATA", broken)
    operation: Operation = Sync("log/a")
    with pytest.raises(DiskError) as failed:
        disk.perform(operation)
    assert not failed.value.definite
    disk.close()


def test_a_read_that_the_system_refuses_is_an_error_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FileDisk(tmp_path)
    disk.perform(Write("log/a", 0, b"x"))

    def no_more(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", no_more)
    with pytest.raises(DiskError, match="read of log/a"):
        disk.read(Read("log/a", 0, 1))
    monkeypatch.undo()
    assert disk.read(Read("log/a", 0, 1)) == b"x"
    disk.close()


def test_a_file_that_goes_while_the_files_are_counted_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FileDisk(tmp_path)
    disk.perform(Write("log/a", 0, b"xy"))
    monkeypatch.setattr(Path, "rglob", lambda *_: [tmp_path / "log", tmp_path / "log/a", tmp_path / "log/gone"])
    assert disk.files() == {"log/a": 2}
    disk.close()
