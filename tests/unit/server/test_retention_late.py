"""Retention and messages that become visible long after they were stored."""

from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.core.message import MessageKind, Permission
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.retention import Retention

SEGMENT_BYTES, AGE_MS, DELAY_MS = 64 << 10, 3_600_000, 7_200_000


class Setting:
    """A node with a delayed message in the first of several segments, and a clock of its own. now_ms: wall time."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = BrokerNode(FileDisk(folder), segment_bytes=SEGMENT_BYTES)
        self.now_ms = self.node.wall_ms()
        monkeypatch.setattr(self.node, "wall_ms", lambda: self.now_ms)

    async def fill(self) -> None:
        node, delayed = self.node, int(MessageKind.DELAY)
        await node.carry_out(c.CreateTopic(*node.stamps(), "d", delayed, 1, int(Permission.READ_WRITE)))
        due_ms = self.now_ms + DELAY_MS
        await node.carry_out(AppendMessages(*node.stamps(), "d", 0, delayed, due_ms, ("late",), "", (b"body",)))
        await node.carry_out(c.CreateTopic(*node.stamps(), "t", int(MessageKind.NORMAL), 1, int(Permission.READ_WRITE)))
        for number in range(30):
            await node.carry_out(AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id{number}",), "", (bytes(8000),)))
        assert len(node.log.segments()) > 3

    async def show(self) -> None:
        self.now_ms += DELAY_MS
        await self.node.carry_out(c.ReleaseTimers(*self.node.stamps()))
        assert self.node.machine.queue("d", 0).max_offset == 1
        self.node.take_snapshot()
        await self.node.carry_out_plan(())


@pytest.fixture
async def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    made = Setting(tmp_path, monkeypatch)
    await made.fill()
    return made


async def test_a_message_is_as_old_as_it_has_been_visible(setting: Setting) -> None:
    """With a delay above the retention age it would be gone before a consumer that is away for a moment comes back."""
    retention = Retention(setting.node, bytes_max=0, age_ms_max=AGE_MS)
    await setting.show()
    assert await retention.work() == 0
    setting.now_ms += AGE_MS + 1
    assert await retention.work() > 1
    await setting.node.close()


async def test_a_limit_of_size_takes_it_as_soon_as_it_is_visible(setting: Setting) -> None:
    retention = Retention(setting.node, bytes_max=SEGMENT_BYTES, age_ms_max=AGE_MS)
    assert await retention.work() == 0
    await setting.show()
    assert await retention.work() > 1
    await setting.node.close()
