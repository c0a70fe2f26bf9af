"""Commands that wait for their turn: whose sender has gone, and when there are too many."""

import asyncio
import threading
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.commands import Command
from mq.broker.outcomes import Outcome
from mq.core.errors import Code, NotServingError
from mq.core.ports import Operation
from mq.server import gathering as module
from mq.server.disk import FileDisk
from mq.server.gathering import Gathering
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until
from tests.unit.server.trio import LIMIT_S, message, topic


class HeldDisk(FileDisk):
    """may_go_on: unset, operations wait."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def perform(self, operation: Operation) -> None:
        """See `FileDisk`."""
        self.may_go_on.wait(LIMIT_S)
        super().perform(operation)


def gathered(gathering: Gathering, command: Command, payload: bytes = b"x") -> "asyncio.Future[Outcome]":
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    gathering.add((command, payload, future))
    return future


def a_message(number: int) -> AppendMessages:
    return AppendMessages(1, 1, "t", 0, 1, 0, (f"id {number}",), "", (b"body",))


async def test_messages_whose_sender_has_gone_are_left_out_and_all_else_is_written() -> None:
    gathering = Gathering()
    ack = c.AckMessages(1, 1, "g", "t", ())
    for command in (a_message(1), ack):
        gathered(gathering, command).cancel()
    gathered(gathering, a_message(2))
    assert [command for command, _, _ in gathering.take()] == [ack, a_message(2)]
    assert (len(gathering), gathering.size_bytes) == (0, 0)


async def test_of_many_only_a_group_is_taken_and_what_stays_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GROUP_BYTES_MAX", 25)
    monkeypatch.setattr(module, "_GROUP_COMMANDS_MAX", 3)
    gathering = Gathering()
    for number in range(2):
        gathered(gathering, a_message(number), bytes(10))
    for number in range(2, 6):
        gathered(gathering, a_message(number), bytes(5 if number < 5 else 100))
    groups = []
    while gathering:
        groups.append((len(gathering.take()), len(gathering), gathering.size_bytes))
    assert groups == [(3, 3, 110), (2, 1, 100), (1, 0, 0)]


@pytest.mark.parametrize(("limit", "most"), [("_COMMANDS_MAX", 2), ("_BYTES_MAX", 20)])
async def test_when_too_much_waits_messages_are_refused_by_an_error_that_names_the_limit_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(module, limit, most)
    gathering = Gathering()
    for number in range(2):
        gathering.check_room(a_message(number))
        gathered(gathering, a_message(number), bytes(10))
    with pytest.raises(NotServingError, match=f"2 commands of 20 bytes, at most .*{most}.*nothing was stored") as refused:
        gathering.check_room(a_message(3))
    assert refused.value.definite
    assert refused.value.code == Code.PROXY_TIMEOUT, "clients try again, and our own slower and slower"
    gathering.check_room(c.AckMessages(1, 1, "g", "t", ()))
    gathering.take()
    gathering.check_room(a_message(3))


async def test_a_node_stores_no_message_of_a_sender_that_went_before_its_turn_and_takes_more_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMMANDS_MAX", 3)
    monkeypatch.setattr(BrokerNode, "is_lone", lambda _node: False)  # the event loop goes on while the disk is held
    disk = HeldDisk(tmp_path)
    node = BrokerNode(disk, segment_bytes=64 << 10)
    async with asyncio.timeout(LIMIT_S):
        await node.carry_out(topic(node))
        disk.may_go_on.clear()
        first = node.propose(message(node, 0))
        await until(lambda: node.groups_written == 2)
        waiting = [node.propose(message(node, number)) for number in (1, 2, 3)]
        with pytest.raises(NotServingError, match="too much waits"):
            node.propose(message(node, 4))
        other = node.propose(topic(node, "other"))
        waiting[1].cancel()
        disk.may_go_on.set()
        await asyncio.gather(first, waiting[0], waiting[2], other)
        assert node.machine.queue("t", 0).max_offset == 3
        gone = node.propose(message(node, 5))
        gone.cancel()
        await node.carry_out(message(node, 6))  # also when none of a group is left
        assert node.machine.queue("t", 0).max_offset == 4
        await node.close()
