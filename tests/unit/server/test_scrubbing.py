"""What has changed on the disk before the newest snapshot is found by reading, not only when a consumer asks for it."""

import logging
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.scrubbing import Scrubber


async def fill(folder: Path) -> None:
    """Several small segments, closed with a snapshot over all of them."""
    node = BrokerNode(FileDisk(folder), segment_bytes=64 << 10)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    for number in range(40):
        body = b"body-%02d" % number * 1000
        await node.carry_out(AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id-{number}",), "", (body,)))
    await node.close()


async def scrub(folder: Path) -> Scrubber:
    node = BrokerNode(FileDisk(folder), segment_bytes=64 << 10)
    scrubber = Scrubber(node, share=1.0)
    await scrubber.work()
    await node.close()
    return scrubber


async def test_a_log_as_it_was_written_is_without_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await fill(tmp_path)
    with caplog.at_level(logging.WARNING):
        scrubber = await scrub(tmp_path)
    assert (scrubber.damage, scrubber.verified) == ([], 41)
    assert caplog.records == []


async def test_damage_before_the_snapshot_is_told_by_file_and_byte(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await fill(tmp_path)
    segments = sorted((tmp_path / "log").iterdir())
    assert len(segments) > 4
    for name, body in ((segments[0], b"body-03"), (segments[2], b"body-20")):
        data = bytearray(name.read_bytes())
        data[data.index(body)] ^= 1
        name.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        scrubber = await scrub(tmp_path)
    assert [Path(damage.file).name for damage in scrubber.damage] == [segments[0].name, segments[2].name]
    assert len(caplog.records) == 2
    assert segments[0].name in caplog.records[0].getMessage()
