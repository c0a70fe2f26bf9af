"""What a person asks of a broker: topics and groups, a look at what is stored, the state of the node.

Nothing here affects a consumer but the commands that say so (reset, delete).
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from mq import __version__
from mq.broker import commands as c
from mq.broker.batch import StoredMessage, batch_slice, decode_tags, delivery_slice
from mq.broker.exchange import BatchSlice, BrokerState, ClientInfo, QueueOfGroup
from mq.broker.state import MAX_ATTEMPTS, QUEUES_DEFAULT, Group, Topic
from mq.broker.store.consume_queue import ConsumeQueue
from mq.core.errors import Code, RefusedError
from mq.core.ids import QueueOffset
from mq.core.limits import QUEUES_PER_TOPIC_MAX
from mq.core.message import MessageKind, Permission
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.lookup import MessageLookup
from mq.server.node import BrokerNode

__all__ = ["Administrator"]

_PEEK_MAX = 256


class Administrator:
    """Definitions, look-ups and the state of the node. part: of a node that is no full member yet, else empty."""

    def __init__(self, node: BrokerNode, clients: Clients, deliverer: Deliverer, *, name: str, node_id: int) -> None:
        self._node, self._machine = node, node.machine
        self._clients, self._deliverer = clients, deliverer
        self._readers = count()
        self._name, self._node_id = name, node_id
        self._began_s = time.monotonic()
        self.part: Callable[[], str] = str
        self.lookup = MessageLookup(node)

    # --- definitions

    async def create_topic(self, name: str, kind: int, queues: int, permission: int) -> Topic:
        """Define a topic, or change its queues and permission. Raises: RefusedError.

        kind, queues, permission: 0 for what the topic has, or what a new one gets.
        """
        topic = self._machine.topics.get(name)
        kind = kind or int(topic.kind if topic else MessageKind.NORMAL)
        queues = queues or (len(topic.queues) if topic else QUEUES_DEFAULT)
        permission = permission or int(topic.permission if topic else Permission.READ_WRITE)
        if not 1 <= queues <= QUEUES_PER_TOPIC_MAX:
            raise RefusedError(Code.BAD_REQUEST, f"queues must be 1 to {QUEUES_PER_TOPIC_MAX}, not {queues}")
        await self._node.carry_out(c.CreateTopic(*self._node.stamps(), name, kind, queues, permission))
        return self._machine.topic(name)

    async def delete_topic(self, name: str) -> None:
        """Forget a topic and its messages. Raises: RefusedError."""
        await self._node.carry_out(c.DeleteTopic(*self._node.stamps(), name))

    def topics(self) -> list[Topic]:
        """All topics by name."""
        return sorted(self._machine.topics.values(), key=lambda t: t.name)

    def topic(self, name: str) -> Topic:
        """One topic. Raises: RefusedError."""
        return self._machine.topic(name)

    async def create_group(self, name: str, *, is_fifo: bool | None, max_attempts: int) -> Group:
        """Define a group, or change its settings. Raises: RefusedError.

        is_fifo: None, max_attempts: 0 for what the group has, or what a new one gets.
        """
        group = self._machine.groups.get(name)
        if is_fifo is None:
            is_fifo = group is not None and group.is_fifo
        max_attempts = max_attempts or (group.max_attempts if group else MAX_ATTEMPTS)
        if not 1 <= max_attempts <= 1000:
            raise RefusedError(Code.BAD_REQUEST, f"max_attempts must be 1 to 1000, not {max_attempts}")
        await self._node.carry_out(c.CreateGroup(*self._node.stamps(), name, is_fifo, max_attempts))
        return self._machine.group(name)

    async def delete_group(self, name: str) -> None:
        """Forget a group and its progress. Raises: RefusedError."""
        await self._node.carry_out(c.DeleteGroup(*self._node.stamps(), name))

    def groups(self) -> list[Group]:
        """All groups by name."""
        return sorted(self._machine.groups.values(), key=lambda g: g.name)

    def group(self, name: str) -> Group:
        """One group. Raises: RefusedError."""
        return self._machine.group(name)

    def clients_of(self, group: str) -> list[ClientInfo]:
        """The group's clients heard of lately."""
        return [
            ClientInfo(o.client_id, o.client_type, o.language, o.version, o.address, self._clients.silent_ms(o.client_id) or 0)
            for o in sorted(self._clients.of_group(group), key=lambda client: client.client_id)
        ]

    # --- progress

    def progress(self, group_name: str, only_topic: str = "") -> list[QueueOfGroup]:
        """A group's progress in each queue of the topics that it has read. Raises: RefusedError."""
        group = self._machine.group(group_name)
        rows = []
        for name in sorted(group.tables):
            topic = self._machine.topics.get(name)
            if topic is None or only_topic not in ("", name):
                continue
            for queue in topic.queues:
                table = group.look(name)
                in_flight = len(table.flights(queue.queue_id))
                lag = queue.max_offset - max(table.next_offset(queue.queue_id), queue.min_offset) + in_flight
                at = table.consumer_offset(queue.queue_id)
                rows.append(QueueOfGroup(name, queue.queue_id, at, queue.max_offset, lag, in_flight))
        return rows

    async def reset(
        self, group_name: str, topic: str, *, end: str = "", offset: int | None = None, time_ms: int | None = None
    ) -> list[QueueOfGroup]:
        """Set where a group goes on: at an end ("earliest", "latest"), an offset, or a store time. Raises: RefusedError."""
        group = await self._deliverer.ensure_group(group_name) if topic else self._machine.group(group_name)
        names = [self._machine.topic(topic).name] if topic else sorted(n for n in group.tables if n in self._machine.topics)

        async def move(name: str, queue: ConsumeQueue) -> None:
            if time_ms is not None:
                wanted = await self.offset_at(name, queue.queue_id, time_ms)
            elif offset is not None:
                wanted = min(max(offset, queue.min_offset), queue.max_offset)
            else:
                wanted = queue.min_offset if end == "earliest" else queue.max_offset
            await self.move_offset(group_name, name, queue.queue_id, wanted)

        # All at once, so that they share their syncs: one after the other, a topic with many queues would take seconds.
        await asyncio.gather(*(move(name, queue) for name in names for queue in self._machine.topic(name).queues))
        return self.progress(group_name, topic)

    async def move_offset(self, group: str, topic: str, queue_id: int, offset: int) -> None:
        """Set the next offset that a group reads in one queue. RocketMQ: UpdateOffset. Raises: RefusedError."""
        await self._deliverer.ensure_group(group)
        await self._node.carry_out(c.MoveOffset(*self._node.stamps(), group, topic, queue_id, offset))

    def consumer_offset(self, group: str, topic: str, queue_id: int) -> int | None:
        """The lowest offset that is not done; None when the group never read this queue. RocketMQ: GetOffset."""
        self._machine.queue(topic, queue_id)
        table = self._machine.group(group).tables.get(topic)
        return None if table is None or queue_id not in table.queues() else table.consumer_offset(queue_id)

    async def offset_at(self, topic: str, queue_id: int, time_ms: int) -> int:
        """The first offset stored at or after a wall time; the queue's end when there is none."""
        queue = self._machine.queue(topic, queue_id)
        return await self._node.reader.run(lambda: queue.offset_at(time_ms))

    def queue_ends(self, topic: str, queue_id: int) -> tuple[int, int]:
        """(lowest kept offset, next offset to be given). Raises: RefusedError."""
        queue = self._machine.queue(topic, queue_id)
        return queue.min_offset, queue.max_offset

    # --- stored messages

    async def peek(
        self, topic: str, queue_id: int, offset: int, count: int, tags: frozenset[str] | None = None
    ) -> tuple[list[tuple[int, StoredMessage]], int]:
        """([(offset, message)], where to go on) from an offset on, brought into the queue's range. No group is affected.

        tags: those wanted, None for all; so many unwanted ones at a time are passed over that fewer may come.
        """
        queue = self._machine.queue(topic, queue_id)
        at = min(max(offset, queue.min_offset), queue.max_offset)
        count = min(max(count, 1), _PEEK_MAX)
        found: list[tuple[int, StoredMessage]] = []
        for entry in await self._node.reader.run(partial(queue.entries, QueueOffset(at), _PEEK_MAX)):
            if len(found) == count:
                break
            if self._node.reader.is_gone(entry):
                at = entry.base_offset + entry.count
                continue
            payload = await self._node.reader.stored(entry)
            stored_tags = decode_tags(payload)
            while at < entry.base_offset + entry.count and len(found) < count:
                number = entry.number_of(at)
                if tags is None or (stored_tags if isinstance(stored_tags, str) else stored_tags[number]) in tags:
                    found.append((at, delivery_slice(payload, number)))
                at += 1
        return found, at

    async def find(self, topic: str, message_id: str, count: int) -> list[tuple[int, int, StoredMessage]]:
        """(queue id, offset, message) of visible messages with this id."""
        return await self.lookup.find(topic, message_id, count)

    async def batches(self, topic: str, queue_id: int, offset: int, bytes_max: int) -> tuple[list[BatchSlice], int]:
        """Stored batches from an offset on, about `bytes_max` bytes of them, and the offset behind the last."""
        queue = self._machine.queue(topic, queue_id)
        found: list[BatchSlice] = []
        size, at = 0, min(max(offset, queue.min_offset), queue.max_offset)
        while size < bytes_max and at < queue.max_offset:
            for entry in await self._node.reader.run(partial(queue.entries, QueueOffset(at), 64)):
                if self._node.reader.is_gone(entry):
                    at = entry.base_offset + entry.count
                    continue
                part = batch_slice(await self._node.reader.stored(entry), entry.first, entry.count)
                found.append(BatchSlice(queue_id, entry.base_offset, part))
                size, at = size + entry.size_bytes, entry.base_offset + entry.count
                if size >= bytes_max:
                    break
        return found, at

    async def wait_for_more(self, topic: str, offset: int, queue_id: int, timeout_s: float) -> None:
        """Come back when the queue has grown beyond `offset`, or after a while."""
        end_s = time.monotonic() + timeout_s
        # Each waits by itself: of the polls of one group, a message wakes no more than can take it.
        reader = f"\0reader {next(self._readers)}"
        while self._machine.queue(topic, queue_id).max_offset <= offset and (left_s := end_s - time.monotonic()) > 0:
            if await self._deliverer.room.wait(topic, reader, left_s) is None:
                return  # its time is over, or this node's; else a message came, perhaps to another queue

    # --- the node

    def state(self) -> BrokerState:
        """The node at a glance."""
        log = self._node.log
        view = self._node.view()
        role = "failed" if self._node.failure is not None else self.part() or str(view.role)
        return BrokerState(
            self._name, self._node_id, role, __version__, log.first_index, log.last_index, log.durable_end,
            self._machine.applied_index, len(log.segments()), int((time.monotonic() - self._began_s) * 1000),
            "solo" if self._node.group is None else "master_slave" if self._node.group.has_master else "raft",
        )  # fmt: skip
