"""A node whose machine loses its power: what it acknowledged is there afterwards, whatever became of the rest."""

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import Queue
from random import Random

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.core.errors import DamageError, MqError
from mq.core.message import MessageKind
from mq.server.disk import FileDisk
from mq.server.faults import FaultFile, FaultyDisk
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until
from tests.unit.server.test_page_cache import SyncsOnce, played, seed_of

SENDERS, ROUNDS, LIMIT_S = 40, 500, 60


async def send(node: BrokerNode, name: str, acked: list[str]) -> None:
    """One message after the other, each written down when it is acknowledged, until the node takes no more."""
    for number in range(ROUNDS):
        message_id, kind = f"{name}-{number}", int(MessageKind.NORMAL)
        batch = AppendMessages(*node.stamps(), "t", 0, kind, 0, (message_id,), "", (b"x" * (1 + number % 3000),))
        try:
            await node.carry_out(batch)
        except MqError:
            return
        acked.append(message_id)


async def live_until_the_cut(
    folder: Path, seed: int, acked: list[str], disk_class: Callable[..., FaultyDisk] = FaultyDisk
) -> None:
    """One life of a node under load, whose power is cut in the midst of it."""
    file, ends = folder / "faults.json", Queue[int]()
    file.unlink(missing_ok=True)
    disk = disk_class(folder / "data", FaultFile(file), ends.put)
    node = BrokerNode(disk, segment_bytes=1 << 20, snapshot_every_bytes=1 << 18)
    if "t" not in node.machine.topics:
        await node.carry_out(c.CreateTopic(*node.stamps(), "t", int(MessageKind.NORMAL), 1, 4))
    before = len(acked)
    senders = [asyncio.create_task(send(node, f"{seed}-{number}", acked)) for number in range(SENDERS)]
    wanted = before + Random(seed).randrange(10, 300)
    await until(lambda: len(acked) >= wanted)
    made = file.with_suffix(".new")
    made.write_text(json.dumps({"is_power_cut": True, "seed": seed}))
    made.replace(file)
    await asyncio.gather(*senders)
    await asyncio.to_thread(ends.get, timeout=10)
    await node.close()


async def test_what_many_callers_were_told_survives_a_power_cut_in_the_midst_of_it_in_each_of_many_lives(tmp_path: Path) -> None:
    acked: list[str] = []
    async with asyncio.timeout(LIMIT_S):
        for seed in range(8):
            await live_until_the_cut(tmp_path, seed, acked)
            node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=1 << 20)
            known = node.machine.topics["t"].sent_ids
            missing = [message_id for message_id in acked if known.find(message_id) is None]
            await node.close()
            assert missing == [], f"after power cut {seed}, of {len(acked)}"


async def test_a_disk_that_syncs_each_file_once_is_found_out_by_a_power_cut(tmp_path: Path) -> None:
    acked: list[str] = []
    async with asyncio.timeout(LIMIT_S):
        await live_until_the_cut(tmp_path, seed_of("nothing"), acked, played(SyncsOnce))
        with closing(FileDisk(tmp_path / "data")) as disk, pytest.raises(DamageError, match="the log ends "):
            BrokerNode(disk, segment_bytes=1 << 20)
    assert acked
