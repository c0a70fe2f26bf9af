"""The note of how far a log was durable: what proves a loss, what does not, and when it is written."""

import mmap
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind
from mq.core.errors import DamageError, DiskError, DiskFullError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Operation, Write
from mq.parts import Parts
from mq.raft.messages import AppendRequest
from mq.server import durable_note
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.durable_note import DURABLE_FILE, DurableNote, noted_index, proves_loss
from mq.server.node import BrokerNode
from mq.server.opening import open_store
from mq.server.organs import OrganError, Organs
from mq.server.setting_aside import set_aside
from tests.unit.server.eventually import until
from tests.unit.server.test_opening import contents
from tests.unit.server.test_pending import topic

SEGMENT_BYTES = 64 << 10
LOG = {"log/1.log": 77}
TERM_0 = EntryId(Term(0), LogIndex(0))


def noted(folder: Path) -> int | None:
    disk = FileDisk(folder)
    try:
        return noted_index(disk)
    finally:
        disk.close()


# --- the file


def test_it_says_the_newest_and_only_a_log_that_ends_before_it_has_lost_something(tmp_path: Path) -> None:
    note = DurableNote(tmp_path, 3)
    note.raise_to(35)
    note.raise_to(34)
    disk = FileDisk(tmp_path)
    assert [proves_loss(disk, LOG, last) for last in (14, 34, 35, 36)] == [35, 35, None, None]
    note.lower_to(36)
    note.lower_to(20)
    assert noted_index(disk) == note.index == 20
    note.close()
    note.raise_to(99)
    DurableNote(tmp_path, 7).close()
    assert noted_index(disk) == 7
    disk.close()


@pytest.mark.parametrize(
    "data", [b"", b"MQDN", bytes(16), b"MQDN" + bytes(12), b"x" * 17], ids=["empty", "cut", "zeros", "sum", "long"]
)
def test_what_cannot_be_read_proves_nothing_and_is_written_anew(tmp_path: Path, data: bytes) -> None:
    assert noted(tmp_path) is None
    (tmp_path / DURABLE_FILE).write_bytes(data)
    assert noted(tmp_path) is None
    DurableNote(tmp_path, 5).close()
    assert noted(tmp_path) == 5


def test_a_flipped_bit_makes_it_unreadable(tmp_path: Path) -> None:
    DurableNote(tmp_path, 5).close()
    data = (tmp_path / DURABLE_FILE).read_bytes()
    for at in range(len(data)):
        (tmp_path / DURABLE_FILE).write_bytes(data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :])
        assert noted(tmp_path) is None


def test_a_folder_whose_log_was_taken_away_by_hand_has_lost_nothing(tmp_path: Path) -> None:
    DurableNote(tmp_path, 35).close()
    disk = FileDisk(tmp_path)
    assert proves_loss(disk, {"organs.json": 7, "snapshots/9": 7}, 0) is None
    disk.close()


class Recorded(mmap.mmap):
    """synced: what it said at each sync."""

    synced: list[bytes]

    def flush(self, *_: Any) -> None:
        self.synced.append(self[:])
        super().flush()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    Recorded.synced = []
    monkeypatch.setattr(mmap, "mmap", Recorded)
    return Recorded.synced


def test_a_lower_note_is_synced_before_anything_is_superseded_and_a_higher_one_never(tmp_path: Path, synced: list[bytes]) -> None:
    note = DurableNote(tmp_path, 3)
    note.raise_to(35)
    note.lower_to(35)
    assert synced == []
    note.lower_to(20)
    assert synced == [(tmp_path / DURABLE_FILE).read_bytes()]
    note.close()
    DurableNote(tmp_path, 19).close()
    assert len(synced) == 2, "one that is found too high is no better"


def test_a_note_that_cannot_be_synced_or_kept_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise OSError(5, "Input/output error")

    note = DurableNote(tmp_path, 35)
    monkeypatch.setattr(Recorded, "flush", refuse)
    note._map = Recorded(-1, 16)
    with pytest.raises(DiskError, match=r"sync of .*durable: Input/output error"):
        note.lower_to(20)
    monkeypatch.setattr(durable_note, "_mapped", refuse)
    DurableNote(tmp_path, 20).raise_to(21)
    assert noted(tmp_path) is None
    assert f"{tmp_path / DURABLE_FILE} cannot be kept" in caplog.text
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(DiskError, match="can neither be written nor removed"):
        DurableNote(tmp_path, 20)


def test_it_outlives_the_process(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from mq.server.durable_note import DurableNote\n"
        "DurableNote(Path(sys.argv[1]), 3).raise_to(35); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    assert noted(tmp_path) == 35


# --- when it is written


async def test_a_node_notes_what_its_log_says_is_durable(tmp_path: Path) -> None:
    node = BrokerNode(FileDisk(tmp_path), segment_bytes=SEGMENT_BYTES)
    assert noted_index(node.disk) == 0
    for number in range(1, 4):
        await node.carry_out(topic(f"t{number}"))
        assert noted_index(node.disk) == node.log.durable_index == number
    await node.close()
    assert noted(tmp_path) == 3


class Watched(FileDisk):
    """Notes what the note says before each write to the log. room: for how many of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before: list[int | None] = []
        self.room = 1 << 20

    def perform(self, operation: Operation) -> None:
        if isinstance(operation, Write):
            self.before.append(noted_index(self))
            self.room -= 1
            if self.room < 0:
                raise DiskFullError("no room")
        super().perform(operation)


def request(term: int, previous: EntryId, count: int) -> AppendRequest:
    first = previous.index + 1
    entries = tuple(Entry(LogIndex(first + i), Term(term), EntryKind.NOOP, b"") for i in range(count))
    return AppendRequest(2, 1, Term(term), previous, entries, LogIndex(0), term)


async def test_before_entries_are_superseded_the_note_is_lower_and_rises_only_when_something_was_written(tmp_path: Path) -> None:
    disk = Watched(tmp_path)
    node = BrokerNode(disk, segment_bytes=SEGMENT_BYTES, group=GroupSettings(node_id=1, voters=(1, 2, 3)))
    node.receive(request(1, TERM_0, 5))
    await until(lambda: node.log.durable_index == 5)
    assert noted_index(disk) == 5
    disk.before.clear()
    disk.room = 0
    node.receive(request(2, EntryId(Term(1), LogIndex(2)), 1))
    await until(lambda: disk.before and node.host.is_quiet)
    assert set(disk.before) == {2}
    # It was taken back. On the disk it may stand all the same, until something else is written there.
    assert node.log.durable_index == 5
    assert noted_index(disk) == 2
    disk.room = 1 << 20
    node.receive(request(3, EntryId(Term(1), LogIndex(5)), 1))
    await until(lambda: node.log.durable_index == 6)
    assert disk.before[1:] == [2] * (len(disk.before) - 1)
    assert noted_index(disk) == 6
    await node.close()


# --- opening


async def shortened(folder: Path) -> None:
    """A log of five entries that was closed, and whose newest ones are gone as if they had never been."""
    node = BrokerNode(FileDisk(folder), segment_bytes=SEGMENT_BYTES)
    ends = []
    for number in range(5):
        await node.carry_out(topic(f"t{number}"))
        ends.append(node.log.end_position)
    await node.close()
    for snapshot in (folder / "snapshots").iterdir():
        snapshot.unlink()
    segment = next((folder / "log").iterdir())
    data = segment.read_bytes()
    segment.write_bytes(data[: ends[2]] + bytes(len(data) - ends[2]))


class Own(CommitLog):
    """Somebody's own."""

    def recover(self, files: Mapping[str, int], checkpoint: Any = None) -> Any:
        return (yield from super().recover(files, checkpoint))


async def test_a_log_that_ends_before_its_note_is_damaged_and_nothing_is_changed(tmp_path: Path) -> None:
    await shortened(tmp_path)
    before = contents(tmp_path)
    disk = FileDisk(tmp_path)
    with pytest.raises(DamageError, match=r"log/0+\.log, byte \d+: the log ends with entry 3, and entries up to 5 were") as found:
        open_store(disk, segment_bytes=SEGMENT_BYTES)
    disk.close()
    assert contents(tmp_path) == before
    aside = set_aside(tmp_path, found.value)
    assert (aside / DURABLE_FILE).exists()
    assert noted(tmp_path) is None


async def test_a_replaced_log_that_forgets_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    await shortened(tmp_path)
    before, organs, disk = contents(tmp_path), Organs(Parts(commit_log=Own)), FileDisk(tmp_path)
    with pytest.raises(OrganError, match="commit_log: `recover` found entries up to 3, and entries up to 5 were durable here"):
        open_store(disk, segment_bytes=SEGMENT_BYTES, organs=organs)
    organs.stop()
    disk.close()
    assert contents(tmp_path) == before


async def test_without_the_note_the_rest_is_served(tmp_path: Path) -> None:
    await shortened(tmp_path)
    (tmp_path / DURABLE_FILE).unlink()
    node = BrokerNode(FileDisk(tmp_path), segment_bytes=SEGMENT_BYTES)
    assert sorted(node.machine.topics) == ["t0", "t1", "t2"]
    assert noted_index(node.disk) == 3
    await node.close()
