"""What opening refuses rather than guesses."""

import json
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.machine import BrokerMachine
from mq.broker.store.snapshot import Snapshot, decode_snapshot, encode_snapshot
from mq.core.errors import FormatError
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.opening import open_store


async def closed_folder(folder: Path) -> Path:
    """A folder with one topic; returns its newest snapshot."""
    node = BrokerNode(FileDisk(folder), segment_bytes=64 << 10)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    await node.close()
    return max((folder / "snapshots").iterdir())


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of_newer_state(body: bytes) -> bytes:
    plain = json.loads(body)
    plain["version"] += 1
    return json.dumps(plain).encode()


async def test_a_state_that_a_newer_program_wrote_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    newest = await closed_folder(tmp_path)
    file = newest.relative_to(tmp_path).as_posix()
    snapshot = decode_snapshot(file, newest.read_bytes())
    newer = of_newer_state(snapshot.body)
    with pytest.raises(FormatError, match="state version"):
        BrokerMachine.from_bytes(newer)
    newest.write_bytes(encode_snapshot(Snapshot(snapshot.index, snapshot.term, snapshot.checkpoint, newer)))
    before = contents(tmp_path)
    disk = FileDisk(tmp_path)
    with pytest.raises(FormatError, match="state version"):
        open_store(disk, segment_bytes=64 << 10)
    disk.close()
    assert contents(tmp_path) == before


async def test_a_damaged_snapshot_is_passed_over_for_an_older_one(tmp_path: Path) -> None:
    newest = await closed_folder(tmp_path)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    disk = FileDisk(tmp_path)
    opened = open_store(disk, segment_bytes=64 << 10)
    disk.close()
    assert "t" in opened.machine.topics
    assert opened.snapshot_index == 0
