"""A disk and a clock on which what a file says is wrong."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Remove, Replace, Sync, Write
from mq.server.faults import FaultFile, FaultyDisk, fault_file_of

Play = Callable[..., None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Says what is wrong from now on; nothing: all is well."""

    def write(**faults: object) -> None:
        file = tmp_path / "faults" / "broker-a-2.json"
        file.parent.mkdir(exist_ok=True)
        made = file.with_suffix(".new")
        made.write_text(json.dumps(faults))
        made.replace(file)

    return write


@pytest.fixture
def faults(tmp_path: Path) -> FaultFile:
    found = fault_file_of("broker-a", 2, {"MQ_FAULTS": str(tmp_path / "faults")})
    assert found is not None
    return found


@pytest.fixture
def disk(tmp_path: Path, faults: FaultFile) -> Iterator[FaultyDisk]:
    made = FaultyDisk(tmp_path / "data", faults)
    yield made
    made.close()


def test_without_the_variable_there_are_no_faults() -> None:
    assert fault_file_of("broker-a", 2, {}) is None
    assert fault_file_of("broker-a", 2, {"MQ_FAULTS": ""}) is None


def test_a_full_disk_makes_nothing_and_lets_nothing_grow_but_takes_what_has_its_place(disk: FaultyDisk, play: Play) -> None:
    disk.perform(Create("log/1", 4096))
    play(is_full=True)
    for wanted in (Create("log/2", 1), Replace("x", b"1"), Write("log/1", 4090, b"1234567"), Write("new", 0, b"1")):
        with pytest.raises(DiskFullError, match="No space left on device"):
            disk.perform(wanted)
    assert set(disk.files()) == {"log/1"}
    disk.perform(Write("log/1", 4090, b"123456"))
    disk.perform(Sync("log/1"))
    disk.perform(Remove("log/1"))
    play()
    disk.perform(Create("log/2", 1))


def test_a_sync_fails_with_an_error_that_is_not_definite(disk: FaultyDisk, play: Play) -> None:
    disk.perform(Write("a", 0, b"1"))
    play(is_sync_failing=True)
    with pytest.raises(DiskError, match="Input/output error") as caught:
        disk.perform(Sync("a"))
    assert not caught.value.definite
    play()
    disk.perform(Sync("a"))


def test_a_slow_disk_takes_its_time(disk: FaultyDisk, play: Play) -> None:
    disk.perform(Write("a", 0, b"1"))
    play(slow_ms=80)
    began_s = time.monotonic()
    disk.perform(Sync("a"))
    assert time.monotonic() - began_s >= 0.08


def test_a_clock_is_set_and_set_back(faults: FaultFile, play: Play) -> None:
    hour_ms = 3_600_000
    play(wall_shift_ms=hour_ms)
    assert faults.wall_ms() - time.time() * 1000 == pytest.approx(hour_ms, abs=5000)
    faults.file.unlink()
    assert faults.wall_ms() - time.time() * 1000 == pytest.approx(0, abs=5000)


def test_a_file_that_is_not_whole_changes_nothing(faults: FaultFile, play: Play) -> None:
    play(slow_ms=5)
    assert faults.now().slow_ms == 5
    faults.file.write_text('{"slow_ms": ')
    os.utime(faults.file, (1, 1))
    assert faults.now().slow_ms == 5
    play(colour="red")
    assert faults.now().slow_ms == 5
    play()
    assert faults.now().slow_ms == 0
