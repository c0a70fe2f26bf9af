"""SIGKILL at random moments under load: nothing acknowledged is lost, nothing hidden shows early."""

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.broker_process import BrokerProcess
from tests.cluster.history import Outcome, violations
from tests.cluster.load import Load, read_queues

KILLS = {"quick": 5, "default": 50, "night": 500}[os.environ.get("RAFTMQ_TIER", "default")]
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
    # It met what it is about.
    assert broker.starts == KILLS + 1
    assert {one.outcome for one in history.sends} == {Outcome.DONE, Outcome.UNKNOWN}
    assert history.lost_receives_messages > 0
    assert any(ack.outcome is Outcome.UNKNOWN for ack in history.acks)
    assert sum(one.attempt > 1 for one in history.deliveries) > 20
    assert len(broker.segments()) > KILLS
    assert sum(start["snapshot"] > 0 for start in broker.opened()) > KILLS // 2
    assert all(start["scanned"] < 4 << 20 for start in broker.opened())
