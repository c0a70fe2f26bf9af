"""A node by itself that starts from a snapshot says what it has applied: all of it, before anything new comes."""

import asyncio
from pathlib import Path

from mq.broker import commands as c
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode

LIMIT_S = 10


async def test_nothing_lags_behind_after_a_start_from_a_snapshot(tmp_path: Path) -> None:
    async with asyncio.timeout(LIMIT_S):
        node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=8192)
        for name in ("a", "b", "c"):
            await node.carry_out(c.CreateTopic(*node.stamps(), name, 1, 2, 4))
        assert node.view().applied_index == 3
        await node.close()
        again = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=8192)
        view = again.view()
        assert (view.commit_index, view.applied_index) == (3, 3)
        await again.close()
