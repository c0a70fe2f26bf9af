"""Who votes is noted with each change, and tried again while it cannot be written."""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.address import Address
from mq.raft.configuration import Configuration
from mq.server import voters_note
from mq.server.moments import Moments
from mq.server.synced import write_synced
from mq.server.voters_note import keep_noted, noted_voters
from tests.unit.server.eventually import until

PEERS: dict[int, Address] = {2: ("127.0.0.1", 2), 3: ("127.0.0.1", 3)}


class Node:
    """As much of a node as the note asks for."""

    def __init__(self, *voters: int) -> None:
        self.moments = Moments()
        self.core = SimpleNamespace(configuration=Configuration.of(*voters))
        self.until = self.moments.until

    def become(self, members: Configuration) -> None:
        self.core.configuration = members
        self.moments.passed()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voters_note, "_LOOK_EVERY_S", 0.01)


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_each_change_is_noted_with_where_the_others_are(tmp_path: Path) -> None:
    node = Node(1, 2, 3)
    task = asyncio.create_task(keep_noted(cast(Any, node), tmp_path, lambda: PEERS, lambda: True))
    await until(lambda: noted_voters(tmp_path) == (Configuration.of(1, 2, 3), PEERS))
    joint = Configuration((1, 2), (1, 2, 3), (4,))
    node.become(joint)
    await until(lambda: noted_voters(tmp_path) == (joint._replace(learners=()), PEERS))
    node.become(Configuration.of(1))
    await until(lambda: noted_voters(tmp_path) == (Configuration.of(1), {}))
    await stop(task)
    assert noted_voters(tmp_path) == (Configuration.of(1), {})


async def test_the_note_of_a_node_that_comes_back_stays_as_it_was_until_it_is_a_full_member(tmp_path: Path) -> None:
    before, full = Node(1, 2, 3), asyncio.Event()
    task = asyncio.create_task(keep_noted(cast(Any, before), tmp_path, lambda: PEERS, lambda: True))
    await until(lambda: noted_voters(tmp_path) is not None)
    await stop(task)
    # Of a log that is taken from its beginning, in which this node was alone.
    node, looked = Node(1), 0

    def is_full() -> bool:
        nonlocal looked
        looked += 1
        return full.is_set()

    task = asyncio.create_task(keep_noted(cast(Any, node), tmp_path, dict, is_full))
    await until(lambda: looked > 0)
    assert noted_voters(tmp_path) == (Configuration.of(1, 2, 3), PEERS)
    full.set()
    node.become(Configuration.of(1, 2))
    await until(lambda: noted_voters(tmp_path) == (Configuration.of(1, 2), {}))
    await stop(task)
    assert looked > 1


async def test_an_address_that_becomes_known_later_is_noted_too(tmp_path: Path) -> None:
    node, reached = Node(1, 2), dict[int, Address]()
    task = asyncio.create_task(keep_noted(cast(Any, node), tmp_path, lambda: reached, lambda: True))
    await until(lambda: noted_voters(tmp_path) == (Configuration.of(1, 2), {}))
    reached[2] = PEERS[2]
    await until(lambda: noted_voters(tmp_path) == (Configuration.of(1, 2), {2: PEERS[2]}))
    await stop(task)
    assert noted_voters(tmp_path) == (Configuration.of(1, 2), {2: PEERS[2]})


async def test_what_found_no_room_is_written_when_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node, tries = Node(1, 2, 3), list[Path]()

    def full(file: Path, data: bytes) -> None:
        tries.append(file)
        raise OSError(28, "No space left on device")

    task = asyncio.create_task(keep_noted(cast(Any, node), tmp_path, lambda: PEERS, lambda: True))
    await until(lambda: noted_voters(tmp_path) is not None)
    monkeypatch.setattr(voters_note, "write_synced", full)
    node.become(Configuration.of(1))
    await until(lambda: len(tries) > 2)
    assert caplog.text.count("cannot be kept, and is tried again") == 1
    monkeypatch.setattr(voters_note, "write_synced", write_synced)
    await until(lambda: noted_voters(tmp_path) == (Configuration.of(1), {}))
    await stop(task)


async def test_waiting_leaves_nothing_behind_when_it_is_given_up() -> None:
    moments = Moments()
    for _ in range(3):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await moments.until(lambda: False)
    assert moments._watchers == []
