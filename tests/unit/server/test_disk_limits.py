"""What the disk says when the system has nothing left to give."""

import errno
import os
from pathlib import Path

import pytest

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Operation, Sync, Write
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
