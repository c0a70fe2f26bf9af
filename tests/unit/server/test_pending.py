"""Whoever waits for a command is told of that command alone, never of what stands in its place."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mq.broker import commands as c
from mq.broker.commands import encode_command
from mq.core.errors import MqError, OutcomeUnknownError, StateError
from mq.parts import Parts
from mq.raft.errors import NotLeaderError
from mq.raft.node import RaftNode
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.organs import OrganError, Organs
from mq.server.pending import PendingCommands

LIMIT_S = 30


class OwnRaft(RaftNode):
    """Somebody's own, and right."""

    __slots__ = ()


def topic(name: str) -> c.CreateTopic:
    return c.CreateTopic(1, 1, name, 1, 1, 4)


def outcome() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


async def test_a_command_is_given_out_for_its_own_entry_alone() -> None:
    pending, command = PendingCommands(), topic("t")
    payload = encode_command(command)
    pending.add(7, 2, 1, (command, payload, outcome()))
    assert pending.command_at(7, 2, payload) is pending.command_at(7, 2, bytes(bytearray(payload))) is command
    assert pending.command_at(7, 3, b"of another leader") is None
    assert pending.command_at(8, 2, payload) is None
    with pytest.raises(StateError, match="entry 7 of term 2 is not the command that was put there"):
        pending.command_at(7, 2, encode_command(topic("u")))


async def test_a_place_that_is_taken_anew_leaves_nobody_waiting() -> None:
    pending, first, second = PendingCommands(), outcome(), outcome()
    pending.add(7, 2, 1, (topic("t"), b"12345", first))
    pending.add(7, 4, 9, (topic("u"), b"123", second))
    assert isinstance(first.exception(), OutcomeUnknownError)
    assert not second.done()
    assert (len(pending), pending.size_bytes) == (1, 3)


@pytest.mark.parametrize(
    ("organs", "told"),
    [
        (Parts(), (StateError, "entry 2 of term 0 is not the command that was put there: one of them is lost")),
        (Parts(raft=OwnRaft), (OrganError, "raft: entry 2 of term 0 is not the command that was put there")),
    ],
    ids=["our own", "replaced"],
)
async def test_a_node_whose_log_holds_another_command_ends_and_nobody_is_told_of_success(
    tmp_path: Path, organs: Parts, told: tuple[type[MqError], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10, organs=Organs(organs))
    failures: list[MqError] = []
    node.on_failed = failures.append
    async with asyncio.timeout(LIMIT_S):
        await node.carry_out(topic("t"))
        propose = node.core.propose
        monkeypatch.setattr(node.core, "propose", lambda payloads: propose(payloads[1:] or payloads))
        lost, kept = node.propose(topic("lost")), node.propose(topic("kept"))
        for future in (lost, kept):
            with pytest.raises(OutcomeUnknownError, match=told[1]):
                await future
    assert [type(failure) for failure in failures] == [told[0]]
    assert "kept" not in node.machine.topics
    await node.close()
    node.organs.stop()


async def test_those_behind_another_leaders_first_entry_are_told_at_once() -> None:
    """Their entries were cut off with it; in a group in which nothing else happens, nothing else would tell them."""
    pending, lost, kept = PendingCommands(), [outcome(), outcome()], outcome()
    pending.add(8, 2, 1, (topic("t"), b"1", lost[0]))
    pending.add(9, 2, 1, (topic("u"), b"2", lost[1]))
    pending.add(10, 4, 2, (topic("v"), b"3", kept))
    pending.settle(7, 3, None, 3)
    assert [type(future.exception()) for future in lost] == [NotLeaderError] * 2
    assert not kept.done()
    assert pending.size_bytes == 1
