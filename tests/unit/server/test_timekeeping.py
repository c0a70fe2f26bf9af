"""Time is stamped into the log while a message is held and nothing else happens, and only then."""

from pathlib import Path

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.commands import QueuePick
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.timekeeping import TimeKeeper
from tests.unit.server.eventually import until


async def test_time_goes_on_in_the_log_while_a_message_is_held(tmp_path: Path) -> None:
    node = BrokerNode(FileDisk(tmp_path), segment_bytes=1 << 20)
    keeper = TimeKeeper(node, silent_ms_max=20)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    await node.carry_out(c.CreateGroup(*node.stamps(), "g", False, 17))
    await node.carry_out(AppendMessages(*node.stamps(), "t", 0, 1, 0, ("a",), "", (b"x",)))
    await until(lambda: node.log_ms() - node.machine.log_ms > 20)
    assert not await keeper.work()  # nobody waits for any time

    log_ms, wall_ms = node.stamps()
    pick = QueuePick(0, 0, 0, 1)
    await node.carry_out(c.ReceiveMessages(log_ms, wall_ms, "g", "t", "me", "", False, log_ms + 60_000, (pick,)))
    assert not await TimeKeeper(node, silent_ms_max=10_000).work()  # that was a stamp, too, less than 10 s ago on any machine
    await until(lambda: node.log_ms() - node.machine.log_ms > 20)
    before_ms = node.machine.log_ms
    assert await keeper.work()
    assert node.machine.log_ms >= before_ms + 20
    await node.close()

    again = BrokerNode(FileDisk(tmp_path), segment_bytes=1 << 20)
    assert again.log_ms() >= before_ms + 20
    await again.close()
