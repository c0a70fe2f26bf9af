"""Retention and dead letters: a dead letter points to where its message was stored, perhaps long before it died."""

from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.commands import DeadPlace, QueuePick
from mq.core.errors import DamageError
from mq.core.ids import QueueOffset
from mq.server import turns
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.retention import Retention
from mq.server.turns import Turns
from mq.server.young import YoungEntries

SEGMENT_BYTES = 64 << 10


async def die(node: BrokerNode) -> None:
    """What was received first."""
    (entry,) = await node.reader.run(lambda: node.machine.queue("t", 0).entries(QueueOffset(0), 1))
    place = DeadPlace(0, entry.size_bytes, entry.log_index, 0, entry.tag_code)
    stamp = node.machine.group("g").look("t").flights(0)[0].stamp
    await node.carry_out(c.DeadLetter(*node.stamps(), "g", "t", 0, stamp, place))


async def node_with_a_dead_letter(folder: Path, *, is_dead: bool = True) -> BrokerNode:
    """Its message lies in the first of several segments; snapshots cover them all. is_dead: already."""
    node = BrokerNode(FileDisk(folder), segment_bytes=SEGMENT_BYTES)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    await node.carry_out(c.CreateGroup(*node.stamps(), "g", is_fifo=False, max_attempts=1))
    await node.carry_out(AppendMessages(*node.stamps(), "t", 0, 1, 0, ("dies",), "", (b"body of dies",)))
    log_ms, wall_ms = node.stamps()
    await node.carry_out(
        c.ReceiveMessages(
            log_ms, wall_ms, "g", "t", "me", "", renews=False, deadline_ms=log_ms + 60_000, picks=(QueuePick(0, 0, 0, 1),)
        )
    )
    await node.carry_out(c.CreateTopic(*node.stamps(), "%DLQ%g", 1, 1, 4))
    if is_dead:
        await die(node)
    for number in range(30):
        await node.carry_out(AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id{number}",), "", (bytes(8000),)))
    node.take_snapshot()
    await node.carry_out_plan(())
    assert len(node.log.segments()) > 3
    assert len(node.machine.topic("%DLQ%g").queues) == 1
    return node


async def test_a_young_dead_letter_keeps_its_segment(tmp_path: Path) -> None:
    node = await node_with_a_dead_letter(tmp_path)
    retention = Retention(node, bytes_max=SEGMENT_BYTES, age_ms_max=0)
    assert await retention.work() == 0
    (entry,) = await node.reader.run(lambda: node.machine.queue("%DLQ%g", 0).entries(QueueOffset(0), 1))
    assert entry.log_index >= node.log.first_index
    await node.close()


async def test_without_dead_letters_the_same_segments_go(tmp_path: Path) -> None:
    node = await node_with_a_dead_letter(tmp_path)
    await node.carry_out(c.DeleteTopic(*node.stamps(), "%DLQ%g"))
    assert await Retention(node, bytes_max=SEGMENT_BYTES, age_ms_max=0).work() > 1
    assert node.log.first_index > 1
    await node.close()


async def test_a_message_that_dies_while_others_dead_letters_are_read_keeps_its_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await node_with_a_dead_letter(tmp_path, is_dead=False)
    await node.carry_out(c.CreateTopic(*node.stamps(), "%DLQ%other", 1, 1, 4))
    await node.carry_out(AppendMessages(*node.stamps(), "%DLQ%other", 0, 1, 0, ("young",), "", (b"of the last segment",)))
    monkeypatch.setattr(turns, "_TURN_S", 0.0)
    pauses = 0

    async def pause(one: Turns) -> None:
        nonlocal pauses
        pauses, one.pauses = pauses + 1, one.pauses + 1
        if pauses == 1:
            await die(node)

    monkeypatch.setattr(Turns, "pause", pause)
    assert await Retention(node, bytes_max=SEGMENT_BYTES, age_ms_max=0).work() == 0
    assert pauses
    (entry,) = await node.reader.run(lambda: node.machine.queue("%DLQ%g", 0).entries(QueueOffset(0), 1))
    assert entry.log_index >= node.log.first_index
    await node.close()


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_only_a_queue_that_is_still_there_can_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_deleted: bool
) -> None:
    """The files of one that is deleted are gone for whoever is in the middle of them."""
    node = await node_with_a_dead_letter(tmp_path)

    async def is_one_before(*_arguments: object) -> bool:
        if is_deleted:
            await node.carry_out(c.DeleteTopic(*node.stamps(), "%DLQ%g"))
        raise DamageError("queues/a", 0, "it is cut short")

    monkeypatch.setattr(YoungEntries, "is_one_before", is_one_before)
    retention = Retention(node, bytes_max=SEGMENT_BYTES, age_ms_max=0)
    if is_deleted:
        assert await retention.work() > 1
    else:
        with pytest.raises(DamageError):
            await retention.work()
    await node.close()
