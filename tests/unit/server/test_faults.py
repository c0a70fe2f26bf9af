"""A disk and a clock on which what a file says is wrong."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Read, Remove, Replace, Sync, Write
from mq.server.disk import FileDisk
from mq.server.faults import FaultFile, FaultyDisk, fault_file_of
from mq.server.page_cache import WAYS
from tests.unit.server.test_page_cache import seed_of

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


def test_what_a_sync_that_fails_was_for_is_lost(disk: FaultyDisk, play: Play) -> None:
    """A later one that succeeds does not bring it back."""
    disk.perform(Write("a", 0, b"old"))
    disk.perform(Sync("a"))
    disk.perform(Write("a", 0, b"new"))
    disk.perform(Write("b", 0, b"other"))
    play(is_sync_failing=True, seed=seed_of("nothing"))
    with pytest.raises(DiskError):
        disk.perform(Sync("a"))
    play()
    disk.perform(Sync("a"))
    assert disk.read(Read("a", 0, 9)) == b"old"
    assert disk.read(Read("b", 0, 9)) == b"other", "nobody asked to sync that"


@pytest.fixture
def cut(tmp_path: Path, faults: FaultFile) -> Iterator[tuple[FaultyDisk, "Queue[int]"]]:
    """A disk, and the exit statuses with which it ended its process, which goes on all the same."""
    ends: Queue[int] = Queue()
    made = FaultyDisk(tmp_path / "data", faults, ends.put)
    yield made, ends
    made.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_power_cut_takes_what_is_not_synced_and_never_what_is(
    cut: tuple[FaultyDisk, "Queue[int]"], play: Play, way: str, tmp_path: Path
) -> None:
    disk, ends = cut
    disk.perform(Create("log/1", 2048))
    disk.perform(Write("log/1", 0, b"kept"))
    disk.perform(Sync("log/1"))
    disk.perform(Replace("whole", b"too"))
    disk.perform(Write("log/1", 4, b"lost"))
    disk.perform(Write("queue", 0, b"derived"))
    play(is_power_cut=True, seed=seed_of(way))
    assert ends.get(timeout=10) == 137
    disk.close()
    after = FileDisk(tmp_path / "data")
    assert after.read(Read("log/1", 0, 4)) == b"kept"
    assert after.read(Read("whole", 0, 9)) == b"too"
    assert after.files()["log/1"] == 2048
    if way == "nothing":
        assert after.read(Read("log/1", 4, 4)) == bytes(4)
        assert "queue" not in after.files()
    if way == "everything":
        assert after.read(Read("log/1", 4, 4)) == b"lost"
        assert after.read(Read("queue", 0, 9)) == b"derived"
    after.close()


def test_the_power_is_cut_before_a_sync_that_was_not_done_comes_back(cut: tuple[FaultyDisk, "Queue[int]"], play: Play) -> None:
    disk, ends = cut
    disk.perform(Write("a", 0, b"in danger"))
    play(is_power_cut=True, seed=seed_of("nothing"))
    synced = []

    def go_on() -> None:
        for number in range(1_000_000):
            disk.perform(Write("a", number, b"!"))
            disk.perform(Sync("a"))
            synced.append(number)

    with pytest.raises(DiskError, match=r"sync of a .*: the power is cut"):
        go_on()
    assert ends.get(timeout=10) == 137
    assert disk.files() == {"a": len(synced)}


def test_the_power_is_cut_when_somebody_goes_on_with_a_log_that_he_did_not_sync(
    cut: tuple[FaultyDisk, "Queue[int]"], play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: the next sync of the file would save what was left out before."""
    disk, ends = cut
    disk.perform(Create("log/1", 2048))
    play(is_power_cut=True, seed=seed_of("nothing"))
    disk.perform(Write("log/1", 0, b"never synced"))
    monkeypatch.setattr("mq.server.faults._LEFT_S", 0.0)
    with pytest.raises(DiskError, match="the power is cut"):
        disk.perform(Write("log/1", 600, b"next"))
    assert ends.get(timeout=10) == 137
    assert disk.read(Read("log/1", 0, 2048)) == bytes(2048)


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


@pytest.mark.skipif(os.name == "nt", reason="there a folder that is opened as a file fails in another way")
def test_a_file_that_cannot_be_read_is_not_taken_for_well_and_told_once_until_it_can_be_again(
    faults: FaultFile, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    for slow_ms in (5, 6):
        play(slow_ms=slow_ms)
        assert faults.now().slow_ms == slow_ms
        faults.file.unlink()
        faults.file.mkdir()  # whoever runs the tests may be allowed to read every file, but nobody reads a folder as one
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="mq.server.faults"):
            assert [faults.now().slow_ms, faults.now().slow_ms] == [slow_ms, slow_ms]
        assert [f"{faults.file} cannot be read" in record.getMessage() for record in caplog.records] == [True]
        faults.file.rmdir()


@pytest.mark.skipif(os.name == "nt", reason="there a folder that is opened as a file fails in another way")
def test_a_node_that_may_not_look_for_faults_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "broker-a-2.json").mkdir()
    with pytest.raises(DiskError, match=r"^MQ_FAULTS: .*broker-a-2\.json cannot be read: Is a directory"):
        fault_file_of("broker-a", 2, {"MQ_FAULTS": str(tmp_path)})
    assert fault_file_of("broker-a", 1, {"MQ_FAULTS": str(tmp_path)}) is not None, "no fault yet"
