"""How a broker node makes itself known: it keeps a line to every registry node, and says the whole of what it is on each.

At once when something changed that clients would notice, and otherwise from time to time. Registry nodes do not know of each
other, so each is told by itself; one that is away is tried again, and nothing here waits for it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mq.broker import commands as c
from mq.broker.outcomes import Outcome
from mq.core.address import Address, show_address
from mq.core.errors import MqError
from mq.raft.view import NodeView
from mq.registry.registration import (
    ConsumerGroupEntry,
    NodeKey,
    Registration,
    RegistryTimes,
    Replication,
    Role,
    Serial,
    TopicEntry,
)
from mq.rpc.registering_client import RegistryLine
from mq.server.node import BrokerNode
from mq.server.slaves_way import master_slave_of

__all__ = ["Registrar"]

_AGAIN_S = (0.1, 0.2, 0.5, 1.0)
"""Between two tries to reach a registry."""
_GOOD_S = 2.0
"""A line that held for so long was a good one: the next try comes as soon as after a first failure."""
_GOODBYE_S = 0.5
_DEFINES = (c.CreateTopic, c.DeleteTopic, c.CreateGroup, c.DeleteGroup, c.SetWritable)
_log = logging.getLogger(__name__)


class Registrar:
    """Of one node. registries: all of them. addresses: as clients reach the nodes of the group; own: this one.

    outside: as `addresses`, for clients from outside of their network. on_change: told when there is something new to say.
    """

    def __init__(  # noqa: PLR0913 - all of it is needed, once
        self,
        node: BrokerNode,
        key: NodeKey,
        registries: Sequence[Address],
        times: RegistryTimes,
        *,
        own: Address,
        addresses: Callable[[], Sequence[Address]],
        part: Callable[[], str] = str,
        outside: Callable[[], Sequence[Address]] = tuple,
    ) -> None:
        self._node, self._key, self._registries, self._times = node, key, registries, times
        self._own, self._addresses, self._part, self._outside = own, addresses, part, outside
        self._started_ms, self._count = time.time_ns() // 1_000_000, 0
        self._definitions: tuple[tuple[TopicEntry, ...], tuple[ConsumerGroupEntry, ...], bool] | None = None
        self._version, self._counts = 0, (0, 0)
        self._changed = asyncio.Event()
        self.on_change: list[Callable[[], None]] = []
        self._is_leaving = False
        self._lines: set[RegistryLine] = set()
        self._silent = asyncio.Event()  # set when the last line has ended
        node.on_applied.append(self._applied)
        node.on_reign.append(lambda _reign: self._tell())
        node.on_replaced.append(self._tell)

    def _applied(self, command: c.Command, _outcome: Outcome) -> None:
        """Topics and groups are also made in passing, by a first dead letter or a first receive."""
        machine = self._node.machine
        counts = len(machine.topics), len(machine.groups)
        if isinstance(command, _DEFINES) or counts != self._counts:
            self._counts = counts
            self._tell()

    def _tell(self) -> None:
        """All lines, that there is something new to say."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for tell in self.on_change:
            tell()

    def registration(self) -> Registration:
        """What there is to say now."""
        machine, view = self._node.machine, self._node.view()
        topics = tuple(
            TopicEntry(topic.name, topic.kind, len(topic.queues), topic.permission)
            for topic in sorted(machine.topics.values(), key=lambda topic: topic.name)
        )
        groups = tuple(ConsumerGroupEntry(one.name, one.is_fifo) for _, one in sorted(machine.groups.items()))
        is_writable = not machine.is_drained
        if self._definitions != (topics, groups, is_writable):
            self._definitions, self._version = (topics, groups, is_writable), machine.applied_index
        self._count += 1
        return Registration(
            cluster="raftmq", broker=self._key.broker, node=self._key.node, serial=Serial(self._started_ms, self._count),
            replication=self._replication(), role=self._role(), epoch=view.term,
            version=self._version, address=show_address(self._own),
            addresses=tuple(sorted(map(show_address, self._addresses()))), applied=machine.applied_index,
            lag=max(0, self._known_end(view) - machine.applied_index), is_writable=is_writable, topics=topics,
            consumer_groups=groups, outside=tuple(sorted(map(show_address, self._outside()))),
        )  # fmt: skip

    def _replication(self) -> Replication:
        group = self._node.group
        if group is None:
            return Replication.SOLO
        return Replication.MASTER_SLAVE if group.has_master else Replication.RAFT

    def _known_end(self, view: NodeView) -> int:
        """How far the log goes of whoever leads, as far as this node knows."""
        is_slave = self._replication() is Replication.MASTER_SLAVE and not self._node.reign.is_here
        return master_slave_of(self._node).heard_end if is_slave else view.commit_index

    def _role(self) -> Role:
        if self._node.group is not None and self._node.group.has_master:
            return Role.MASTER if self._node.reign.is_here else Role.SLAVE
        if self._node.group is None or self._node.reign.is_here:
            return Role.LEADER
        return Role.LEARNER if self._part() else Role.FOLLOWER

    async def work_forever(self) -> None:
        """Keep a line to each registry."""
        async with asyncio.TaskGroup() as lines:
            for registry in self._registries:
                lines.create_task(self._keep(registry))

    async def _keep(self, registry: Address) -> None:
        failures, told = 0, ""
        loop = asyncio.get_running_loop()
        while not self._is_leaving:
            begun_s = loop.time()
            try:
                async with RegistryLine(registry) as line:
                    try:
                        self._lines.add(line)
                        self._silent.clear()
                        await self._say_forever(line, registry, is_back=bool(told))
                    finally:
                        self._lines.discard(line)
                        if not self._lines:
                            self._silent.set()
            except MqError as error:
                if str(error) != told:
                    told = str(error)
                    _log.warning("registry %s: %s; it is tried again", show_address(registry), error)
            failures = 1 if loop.time() - begun_s > _GOOD_S else failures + 1
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S)) - 1])

    async def _say_forever(self, line: RegistryLine, registry: Address, *, is_back: bool) -> None:
        """Until the line breaks. Raises: MqError."""
        ended = asyncio.ensure_future(line.ended())
        try:
            while not ended.done():
                changed = asyncio.ensure_future(self._changed.wait())
                try:
                    if self._is_leaving:
                        await line.goodbye(self._key)
                        return
                    await line.register(self.registration())
                    if is_back:
                        _log.info("registry %s has taken this node", show_address(registry))
                        is_back = False
                    await asyncio.wait(
                        (changed, ended), timeout=self._times.register_every_ms / 1000, return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    changed.cancel()
        finally:
            ended.cancel()

    async def goodbye(self) -> None:
        """Tell all registries that this node ends; those that do not answer at once will notice."""
        self._is_leaving = True
        self._tell()
        if self._lines:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._silent.wait()
