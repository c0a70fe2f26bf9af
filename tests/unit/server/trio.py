"""Three nodes in one event loop, with real disks, and a network between them that can be cut."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.core.message import MessageKind, Permission
from mq.raft.messages import Message
from mq.raft.options import RaftOptions
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode

__all__ = ["LIMIT_S", "SEGMENT_BYTES", "Trio", "message", "send", "topic"]

LIMIT_S = 60
SEGMENT_BYTES = 16 << 10
RAFT = RaftOptions(election_ticks=25, heartbeat_ticks=3, recent_bytes_max=8 << 10, chunk_bytes_max=500)


class Trio:
    """Nodes that reach each other through the loop. cut: pairs (from, to) whose messages are lost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.snapshot_every_bytes = 1 << 30
        self.make_disk: Callable[[Path], FileDisk] = FileDisk
        self.nodes: dict[int, BrokerNode] = {}
        self.cut: set[tuple[int, int]] = set()
        self.sent: list[type[Message]] = []

    def start(self, *node_ids: int) -> None:
        for node_id in node_ids:
            self.nodes[node_id] = BrokerNode(
                self.make_disk(self._folder / str(node_id)),
                segment_bytes=SEGMENT_BYTES, snapshot_every_bytes=self.snapshot_every_bytes,
                group=GroupSettings(node_id=node_id, voters=(1, 2, 3), tick_ms=20, raft=RAFT), send=self._send,
            )  # fmt: skip
            self.nodes[node_id].begin_ticking()

    def _send(self, message: Message) -> None:
        self.sent.append(type(message))
        asyncio.get_running_loop().call_soon(self._deliver, message)

    def _deliver(self, message: Message) -> None:
        node = self.nodes.get(message.to)
        if node is not None and (message.sender, message.to) not in self.cut:
            node.receive(message)

    async def stop(self, *node_ids: int) -> None:
        for node_id in node_ids or tuple(self.nodes):
            await self.nodes.pop(node_id).close()

    async def leader(self, *, but: int | None = None) -> BrokerNode:
        """Whoever leads, and is ready."""
        return await self.when(lambda node: node.reign.is_here and node.group is not None and node.group.node_id != but)

    async def when(self, is_true: Callable[[BrokerNode], bool]) -> BrokerNode:
        """The first node of which it holds."""
        while True:
            for node in self.nodes.values():
                if is_true(node):
                    return node
            changed = [asyncio.ensure_future(node.until(lambda node=node: is_true(node))) for node in self.nodes.values()]  # type: ignore[misc]
            _, pending = await asyncio.wait(changed, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()

    async def agree(self) -> bytes:
        """The state of all when each has applied what the leader has."""
        index = (await self.leader()).machine.applied_index
        for node in self.nodes.values():
            await node.until(lambda node=node: node.machine.applied_index >= index)  # type: ignore[misc]
        (state,) = {node.machine.to_bytes() for node in self.nodes.values()}
        return state


def topic(node: BrokerNode, name: str = "t") -> c.CreateTopic:
    return c.CreateTopic(*node.stamps(), name, int(MessageKind.NORMAL), 1, int(Permission.READ_WRITE))


def message(node: BrokerNode, number: int, size_bytes: int = 300) -> AppendMessages:
    body = f"{number} ".encode().ljust(size_bytes, b".")
    return AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id {number}",), "", (body,))


async def send(node: BrokerNode, first: int, count: int) -> None:
    """In groups: each lies within one segment of the log."""
    for begin in range(first, first + count, 10):
        numbers = range(begin, min(begin + 10, first + count))
        await asyncio.gather(*(node.carry_out(message(node, number)) for number in numbers))
