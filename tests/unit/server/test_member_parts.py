"""What a member says of the part that it takes, before it is a full one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from mq.raft.options import RaftOptions
from mq.server.config import BrokerConfig
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.member import Member
from mq.server.node import BrokerNode
from mq.server.peer_serving import Serve
from mq.server.taking_part import NOTE_FILE, Note, Part

LIMIT_S = 60


async def nothing(_call: object) -> None:
    """No call is passed on to this node."""


@pytest.fixture
async def member(tmp_path: Path) -> AsyncIterator[Member]:
    """Of a group of one, with an empty folder; it is not started."""
    settings = GroupSettings(node_id=1, voters=(1,))
    made = Member(BrokerConfig(data=tmp_path, node=1, cluster_secret="s" * 16), settings)
    node = BrokerNode(FileDisk(tmp_path / "node"), segment_bytes=64 << 10, group=settings, send=made.send)
    made.join(node, cast(Serve, nothing))
    yield made
    await made.close()
    await node.close()


async def test_a_node_that_takes_part_and_holds_nothing_yet_says_that_it_is_asking(member: Member) -> None:
    member.way.part = Part.FULL
    assert member.part_so_far() == "asking", "whoever is told nothing takes it for safe to be killed: it would come back as wiped"
    member.node.begin_ticking()
    member.node.campaign()
    async with asyncio.timeout(LIMIT_S):
        await member.node.until(lambda: member.node.machine.applied_index > 0)
    assert member.part_so_far() == ""


@pytest.mark.parametrize("part", [Part.ASKING, Part.REJOINING, Part.LEARNING])
async def test_a_node_on_its_way_says_how_far_it_is(member: Member, part: Part) -> None:
    member.way.part = part
    assert member.part_so_far() == str(part) != ""


async def test_a_node_that_comes_back_to_a_log_in_which_it_was_alone_does_not_elect_itself(tmp_path: Path) -> None:
    settings = GroupSettings(node_id=1, voters=(1,), tick_ms=1, raft=RaftOptions(election_ticks=5, heartbeat_ticks=1))
    config, took_s = BrokerConfig(data=tmp_path, node=1, cluster_secret="s" * 16), 0.0
    for is_coming_back in (False, True):
        if is_coming_back:
            (tmp_path / NOTE_FILE).write_text(json.dumps(Note(was_voter=True, learner_at=1000, term=9)._asdict()))
        made = Member(config, settings)
        node = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10, group=settings, send=made.send)
        made.join(node, cast(Serve, nothing))
        assert made.way.part is (Part.LEARNING if is_coming_back else Part.ASKING)
        begun_s = time.monotonic()
        await made.start()
        if is_coming_back:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(max(0.5, 10 * took_s)):
                    await node.until(lambda node=node: node.reign.leader is not None)  # type: ignore[misc]
        else:
            async with asyncio.timeout(LIMIT_S):
                await node.until(lambda node=node: node.reign.is_here)  # type: ignore[misc]
            took_s = time.monotonic() - begun_s
        await made.close()
        await node.close()
