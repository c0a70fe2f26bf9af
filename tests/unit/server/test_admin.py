"""What a person asks of a node in this process, on a real folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mq.server.admin import Administrator
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode

QUEUES = 200


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[BrokerNode]:
    found = BrokerNode(FileDisk(tmp_path), segment_bytes=1 << 20)
    yield found
    await found.close()


@pytest.fixture
async def admin(node: BrokerNode) -> AsyncIterator[Administrator]:
    clients = Clients(lambda: 0)
    deliverer = Deliverer(node, clients)
    yield Administrator(node, clients, deliverer, name="a", node_id=1)
    deliverer.stop()


@pytest.mark.parametrize("where", [{"end": "latest"}, {"offset": 0}, {"time_ms": 1}])
async def test_a_reset_of_many_queues_shares_its_syncs(admin: Administrator, node: BrokerNode, where: dict[str, int]) -> None:
    await admin.create_topic("t", 0, QUEUES, 0)
    before = node.disk.sync_count
    rows = await admin.reset("g", "t", **where)  # type: ignore[arg-type]
    assert [(row.queue_id, row.consumer_offset) for row in rows] == [(queue_id, 0) for queue_id in range(QUEUES)]
    assert 0 < node.disk.sync_count - before < QUEUES // 2
