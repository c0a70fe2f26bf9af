"""The host loop on Raft's page is all of a host: three nodes that run on it elect a leader and agree."""

import random
import re
from pathlib import Path
from typing import Any

from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.group.light_log import LightLog, LightMedium

PAGE = Path(__file__).resolve().parent.parent.parent.parent / "mq" / "raft" / "README.md"


class Disk:
    """Takes every plan at once."""

    def perform(self, plan: Any) -> None:
        assert plan == ()  # a log in memory has no bytes to write


class Network:
    def __init__(self) -> None:
        self.waiting: list[Message] = []

    def send(self, message: Message) -> None:
        self.waiting.append(message)


class Machine:
    def __init__(self) -> None:
        self.applied = LogIndex(0)

    def apply_up_to(self, index: LogIndex) -> None:
        self.applied = max(self.applied, index)


def host_loop() -> Any:
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(compile(block[1], str(PAGE), "exec"), names)
    return names["carry_out"]


def test_three_nodes_on_the_loop_of_the_page_agree() -> None:
    carry_out, network, members = host_loop(), Network(), Configuration.of(1, 2, 3)
    nodes = {
        number: RaftNode(number, LightLog(LightMedium()), random.Random(number), options=RaftOptions(), configuration=members)
        for number in members.voters
    }
    machines = {number: Machine() for number in nodes}
    has_proposed = False
    for _ in range(60):
        for number, node in nodes.items():
            carry_out(node, node.tick(), Disk(), network, machines[number])
            if node.role is Role.LEADER and not has_proposed:
                carry_out(node, node.propose([b"bread", b"milk"]), Disk(), network, machines[number])
                has_proposed = True
        while network.waiting:
            message = network.waiting.pop(0)
            carry_out(nodes[message.to], nodes[message.to].step(message), Disk(), network, machines[message.to])
    assert [node.role for node in nodes.values()].count(Role.LEADER) == 1
    assert {machine.applied for machine in machines.values()} == {3}  # the leader's first entry and the two commands
