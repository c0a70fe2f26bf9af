"""A bug in the log or in the state machine ends a node; it leaves nobody waiting."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.store.commit_log import CommitLog, StoredEntry
from mq.core.errors import MqError, NotServingError, OutcomeUnknownError, StateError
from mq.core.ids import LogIndex
from mq.core.ports import Steps
from mq.parts import Parts
from mq.raft.output import Output
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.organs import OrganError, Organs

LIMIT_S = 10


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[BrokerNode]:
    node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=64 << 10)
    yield node
    await asyncio.wait_for(node.close(), LIMIT_S)


def topic(node: BrokerNode, name: str) -> c.CreateTopic:
    return c.CreateTopic(*node.stamps(), name, 1, 1, 4)


def broken(*_arguments: object) -> None:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("place", ["log", "machine"])
async def test_a_bug_ends_the_node_and_every_caller_hears_of_it(
    node: BrokerNode, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.carry_out(topic(node, "before"))
    failures: list[MqError] = []
    node.on_failed = failures.append
    if place == "log":
        monkeypatch.setattr(node.log, "append", broken)
    else:
        monkeypatch.setattr(node.machine, "apply", broken)
    callers = [node.propose(topic(node, f"t{number}")) for number in range(5)]
    ends = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), LIMIT_S)
    assert {type(end) for end in ends} == {OutcomeUnknownError}
    assert isinstance(failures[0], StateError)
    assert "ZeroDivisionError: a bug" in str(failures[0])
    with pytest.raises(NotServingError, match="takes no commands"):
        node.propose(topic(node, "after"))
    assert set(node.machine.topics) == {"before"}


async def test_a_save_that_never_came_to_the_disk_ends_the_node_before_the_next_one_makes_it_durable(
    node: BrokerNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.carry_out(topic(node, "before"))
    propose = node.core.propose

    def loses_the_first(payloads: Sequence[bytes]) -> Output:
        propose(payloads)
        return propose(payloads)

    monkeypatch.setattr(node.core, "propose", loses_the_first)
    with pytest.raises(OutcomeUnknownError, match="save 3 of the log is to be written, and another one is next behind 1"):
        await asyncio.wait_for(node.propose(topic(node, "after")), LIMIT_S)
    assert node.log.durable_index == 1


async def test_an_organ_that_exits_ends_the_node_also_when_only_a_reader_asked_it(tmp_path: Path) -> None:
    class Own(CommitLog):
        def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
            sys.exit(0)

    organs = Organs(Parts(commit_log=Own))
    node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=64 << 10, organs=organs)
    failed: asyncio.Future[MqError] = asyncio.get_running_loop().create_future()
    node.on_failed = failed.set_result
    await node.carry_out(topic(node, "before"))
    with pytest.raises(OrganError):
        node.log.entries(LogIndex(1), LogIndex(1), 1)
    told = str(await asyncio.wait_for(failed, LIMIT_S))
    assert re.fullmatch(r"commit_log: `entries` raised SystemExit: 0 \(.*test_node_failing.py, line \d+, in entries\)", told)
    with pytest.raises(NotServingError, match="takes no commands"):
        node.propose(topic(node, "after"))
    await asyncio.wait_for(node.close(), LIMIT_S)
    organs.stop()


@pytest.mark.parametrize("method", ["note_durable", "segments"])
async def test_an_organ_that_breaks_in_a_moment_of_quiet_or_behind_a_snapshot_ends_the_node(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody called it who could tell: a timer of the event loop's, or the disk that is done."""
    node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=64 << 10)
    failed: asyncio.Future[MqError] = asyncio.get_running_loop().create_future()
    node.on_failed = failed.set_result
    told_to_nobody: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told_to_nobody.append(context))
    await node.carry_out(topic(node, "before"))
    monkeypatch.setattr(node.log, method, broken)
    if method == "segments":
        node.take_snapshot()
    told = str(await asyncio.wait_for(failed, LIMIT_S))
    assert told == "a step of the node failed: ZeroDivisionError: a bug"
    with pytest.raises(NotServingError, match="takes no commands"):
        node.propose(topic(node, "after"))
    await asyncio.wait_for(node.close(), LIMIT_S)
    assert told_to_nobody == []
