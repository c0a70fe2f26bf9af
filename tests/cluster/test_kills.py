"""SIGKILL at random moments under load: nothing acknowledged is lost, nothing hidden shows early."""

import asyncio
import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from mq.core.errors import Code
from mq.core.ids import LogIndex
from mq.core.ports import drive
from mq.server.disk import FileDisk
from mq.server.opening import open_store
from tests.cluster.broker_process import BrokerProcess
from tests.cluster.caller import Caller
from tests.cluster.history import Outcome, violations
from tests.cluster.load import Load, read_queues

KILLS = {"quick": 5, "default": 30, "night": 500}[os.environ.get("RAFTMQ_TIER", "default")]
QUEUES = 4
# Small, so that segments are sealed and snapshots taken between any two kills.
SMALL = ("--segment-bytes", "64KiB", "--snapshot-every-bytes", "64KiB")


async def kill_often(broker: BrokerProcess, load: Load, rng: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(0.05, 0.6))
        broker.kill()
        await asyncio.to_thread(broker.start)
    load.stop.set()


def summary(load: Load, broker: BrokerProcess, seconds: float) -> str:
    history = load.history
    sends, acks, changes = (
        dict(Counter(one.outcome.value for one in found)) for found in (history.sends, history.acks, history.changes)
    )
    again = sum(one.attempt > 1 for one in history.deliveries)
    return (
        f"{KILLS} kills in {seconds:.0f} s; sends {sends}; {len(history.stored)} stored; {len(history.deliveries)} delivered, "
        f"{again} of them again; acks {acks}; changes {changes}; answers lost for {history.lost_receives_messages} messages; "
        f"{len(broker.segments())} segments; {broker.log.count('cut a torn write')} torn writes cut"
    )


def check_the_whole_log(data: Path) -> int:
    """A state from the newest snapshot is the one that the whole log leads to. Returns how many entries that has."""
    hashes, entries = [], 0
    for name in ("with snapshots", "without"):
        copy = data.parent / name
        shutil.copytree(data, copy)
        if name == "without":
            shutil.rmtree(copy / "snapshots")
            shutil.rmtree(copy / "queues")
        disk = FileDisk(copy)
        try:
            found = open_store(disk, segment_bytes=64 << 10)
            assert found.snapshot_index == (0 if name == "without" else found.log.last_index)
            hashes.append(found.machine.state_hash())
            at = found.log.first_index
            while at <= found.log.last_index:
                stored = drive(found.log.entries(at, found.log.last_index, 1 << 20), disk)
                assert [one.entry.index for one in stored] == list(range(at, at + len(stored)))
                at = LogIndex(at + len(stored))
            entries = found.log.last_index
        finally:
            disk.close()
    assert hashes[0] == hashes[1]
    return entries


@pytest.mark.slow
@pytest.mark.timeout(KILLS * 10 + 120)
async def test_nothing_acknowledged_is_lost_and_nothing_hidden_shows_through_many_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("MQ_SEED") or time.time())
    print(f"MQ_SEED={seed}")
    rng, began_s = random.Random(seed), time.monotonic()
    with BrokerProcess(tmp_path, *SMALL) as broker:
        assert broker.mq("topic", "create", "orders", "--queues", str(QUEUES)).code == 0
        assert broker.mq("group", "create", "kitchen", "--max-attempts", "1000").code == 0
        load = Load(broker.endpoint, "orders", "kitchen", seed=seed)
        await asyncio.gather(load.run(), kill_often(broker, load, rng))
        load.history.stored = await read_queues(broker.endpoint, "orders", QUEUES)
        assert broker.terminate() == 0
    print(summary(load, broker, time.monotonic() - began_s))
    history = load.history
    assert violations(history)[:20] == []
    assert load.refusals == []
    assert "Traceback" not in broker.log
    assert " ERROR " not in broker.log
    assert check_the_whole_log(broker.data) > len(history.acks) // 32
    # It met what it is about.
    assert broker.starts == KILLS + 1
    assert {one.outcome for one in history.sends} == {Outcome.DONE, Outcome.UNKNOWN}
    assert history.lost_receives_messages > 0
    assert any(ack.outcome is Outcome.UNKNOWN for ack in history.acks)
    assert sum(one.attempt > 1 for one in history.deliveries) > 20
    assert len(broker.segments()) > KILLS // 2
    assert sum(start["snapshot"] > 0 for start in broker.opened()) > KILLS // 2
    assert all(start["scanned"] < 4 << 20 for start in broker.opened())


def test_a_hidden_message_comes_back_late_by_the_time_the_broker_was_away_and_no_more(tmp_path: Path) -> None:
    """Log time stands still while no broker runs: it goes on from its last stamp, and no wall clock moves it."""
    invisible_s = 3.0
    with BrokerProcess(tmp_path) as broker:
        assert broker.mq("topic", "create", "orders", "--queues", "1").code == 0
        with Caller(broker.endpoint) as client:
            client.send("orders", "bread", b"bread")
            (first,) = client.receive("orders", "kitchen")
            asked_s = time.monotonic()
            assert client.change("orders", "kitchen", first, invisible_s).status.code == Code.OK
            broker.kill()
            killed_s = time.monotonic()
        broker.start()
        away_s = time.monotonic() - killed_s
        with Caller(broker.endpoint) as client:
            (second,) = client.receive("orders", "kitchen", wait_s=15)
            back_s = time.monotonic() - asked_s
            assert second.system_properties.delivery_attempt == 2
            assert client.ack("orders", "kitchen", [second]) == [Code.OK]
    print(f"hidden for {invisible_s} s, broker away for {away_s:.2f} s, came back after {back_s:.2f} s")
    assert invisible_s <= back_s <= invisible_s + away_s + 1.0
