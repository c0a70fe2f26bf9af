"""Taking messages in. RocketMQ: SendMessage; and our own batches of many messages."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from itertools import count

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.exchange import Outgoing, OutgoingBatch
from mq.broker.outcomes import Sent
from mq.broker.state import DEAD_LETTER_PREFIX, QUEUES_DEFAULT, Topic, kind_of
from mq.core.errors import Code, DiskFullError, NotServingError, RefusedError
from mq.core.message import MessageKind, Permission
from mq.raft.errors import NotLeaderError
from mq.server.node import BrokerNode
from mq.server.space import SpaceGuard

__all__ = ["Sender"]

_DRAINED = "this broker group takes no messages, since it is being drained; nothing was stored: send to another one"


class Sender:
    """The producers' side of a serving node."""

    def __init__(self, node: BrokerNode, space: SpaceGuard, *, auto_create_topics: bool = False) -> None:
        self._node, self._machine, self._space = node, node.machine, space
        self._auto_create_topics = auto_create_topics
        self._turn = count()
        self.make_way: Callable[[], Awaitable[bool]] | None = None
        """Of a member of a group: lets a node lead whose disk has room, if there is one."""

    async def writable_topic(self, name: str, kind: int) -> Topic:
        """The topic, if it takes messages of this kind.

        Raises: RefusedError; DiskFullError when there is no space for more, NotLeaderError when another node has some;
        NotServingError while the group is drained, which clients take for a reason to ask another one.
        """
        try:
            self._space.check()
        except DiskFullError:
            if self.make_way is None or not await self.make_way():
                raise
            raise NotLeaderError(self._node.reign.leader) from None
        topic = self._machine.topics.get(name)
        if topic is None:
            await self._node.read_index()  # an old leader, which does not know it yet, does not know what the new one has made
            topic = self._machine.topics.get(name)
        if topic is None and self._would_make(name):
            kind_of(kind)
            await self._node.carry_out(
                c.CreateTopic(*self._node.stamps(), name, kind, QUEUES_DEFAULT, Permission.READ_WRITE, if_absent=True)
            )
        topic = self._machine.topic(name)
        if self._machine.is_drained:
            raise NotServingError(_DRAINED)
        if not topic.permission.is_writable:
            why = (
                "dead letters come from the broker alone" if name.startswith(DEAD_LETTER_PREFIX) else "its permission forbids it"
            )
            raise RefusedError(Code.FORBIDDEN, f"topic {name} is not writable: {why}")
        if kind != topic.kind:
            shown = MessageKind(kind).name if kind in tuple(MessageKind) else f"number {kind}"
            raise RefusedError(
                Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE,
                f"topic {name} takes {topic.kind.name} messages, this one is of type {shown}",
            )
        return topic

    def _would_make(self, name: str) -> bool:
        return self._auto_create_topics and not name.startswith("%")

    def future_topic(self, name: str) -> Topic | None:
        """An unknown topic as the first send to it would make it; None for a known one, and where a send makes none.

        Official producers ask for a route before they send.
        """
        if name in self._machine.topics or not self._would_make(name):
            return None
        topic = Topic(name, MessageKind.NORMAL, Permission.READ_WRITE, made_at=0)
        topic.grow(QUEUES_DEFAULT)
        return topic

    async def send_one(self, topic_name: str, message: Outgoing) -> tuple[int, int]:
        """Store one message; its (queue id, offset) once it is durable and applied. The way of nearly every send.

        A message id that the topic has seen lately is not stored again and gets its first place.
        Raises: RefusedError, and what `BrokerNode.propose` raises.
        """
        stored, message_id, tag, kind, due_ms, message_group = message
        topic = await self.writable_topic(topic_name, kind)
        queue_id = self._queue_for(topic, message_group)
        log_ms, wall_ms = self._node.stamps()
        batch = AppendMessages(log_ms, wall_ms, topic_name, queue_id, kind, due_ms, (message_id,), tag, (stored,))
        outcome = await self._node.propose(batch)
        if isinstance(outcome, RefusedError):
            raise outcome
        assert isinstance(outcome, Sent)
        return outcome.places[0]

    async def send(self, topic_name: str, messages: list[Outgoing]) -> list[tuple[int, int]]:
        """Store several messages of one topic; returns (queue id, offset) of each, as `send_one`.

        Raises: what `send_one` raises.
        """
        kind = messages[0].kind
        topic = await self.writable_topic(topic_name, kind)
        if any(m.kind != kind for m in messages):
            raise RefusedError(Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, "the messages of one request are of different types")
        if kind in (MessageKind.NORMAL, MessageKind.FIFO):
            by_queue: dict[int, list[int]] = {}
            queue_id = next(self._turn) % len(topic.queues)
            for number, message in enumerate(messages):
                by_queue.setdefault(
                    self._queue_for(topic, message.message_group) if message.message_group else queue_id, []
                ).append(number)
            parts = list(by_queue.items())
        else:
            parts = [(self._queue_for(topic, m.message_group), [number]) for number, m in enumerate(messages)]
        sent = await asyncio.gather(*(self._store(topic, queue_id, [messages[i] for i in part]) for queue_id, part in parts))
        places: list[tuple[int, int]] = [(0, 0)] * len(messages)
        for (_, part), one in zip(parts, sent, strict=True):
            for number, place in zip(part, one.places, strict=True):
                places[number] = place
        return places

    def _queue_for(self, topic: Topic, message_group: str) -> int:
        """FIFO: from the message group itself, as each client language would choose another; else in turn."""
        if message_group:
            return zlib.crc32(message_group.encode()) % len(topic.queues)
        return next(self._turn) % len(topic.queues)

    async def _store(self, topic: Topic, queue_id: int, messages: list[Outgoing]) -> Sent:
        log_ms, wall_ms = self._node.stamps()
        first = messages[0]
        if len(messages) == 1:
            batch = AppendMessages(
                log_ms, wall_ms, topic.name, queue_id, first.kind, first.due_ms, (first.message_id,), first.tag, (first.stored,)
            )
        else:
            tags: tuple[str, ...] | str = tuple(m.tag for m in messages)
            tags = tags[0] if len(set(tags)) == 1 else tags
            batch = AppendMessages(
                log_ms, wall_ms, topic.name, queue_id, first.kind, 0, tuple(m.message_id for m in messages), tags,
                tuple(m.stored for m in messages),
            )  # fmt: skip
        outcome = await self._node.carry_out(batch)
        assert isinstance(outcome, Sent)
        return outcome

    async def send_batch(self, batch: OutgoingBatch) -> Sent:
        """Store one batch in one queue. Raises: RefusedError; NotLeaderError, before an old state refuses anything."""
        if not self._node.reign.is_here:
            raise NotLeaderError(self._node.reign.leader)
        topic = await self.writable_topic(batch.topic, batch.kind)
        queue_id = batch.queue_id
        if queue_id >= len(topic.queues) or queue_id < -1:
            raise RefusedError(
                Code.BAD_REQUEST, f"queue_id {queue_id} does not exist: topic {batch.topic} has {len(topic.queues)} queues"
            )
        if queue_id < 0 or batch.message_group:
            queue_id = self._queue_for(topic, batch.message_group)
        command = AppendMessages(
            *self._node.stamps(), batch.topic, queue_id, batch.kind, 0, batch.ids, batch.tags, batch.messages, batch.shared
        )
        outcome = await self._node.carry_out(command)
        assert isinstance(outcome, Sent)
        return outcome

    async def end_transaction(self, topic: str, transaction_id: str, *, is_commit: bool) -> None:
        """Commit or roll back. Raises: RefusedError (INVALID_TRANSACTION_ID)."""
        await self._node.carry_out(c.EndTransaction(*self._node.stamps(), topic, transaction_id, is_commit))

    async def release_timers_forever(self) -> None:
        """Make delayed messages visible when they are due."""
        while True:
            due = [self._machine.timers[0][0]] if self._machine.timers else []
            wait_ms = min([*due, self._node.wall_ms() + 200]) - self._node.wall_ms()
            if wait_ms > 0:
                await asyncio.sleep(wait_ms / 1000)
                continue
            await self._node.carry_out(c.ReleaseTimers(*self._node.stamps()))
