"""Retention: forgetting the oldest segments, as a command, so that every replica forgets the same."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from mq.broker import commands as c
from mq.broker.state import DEAD_LETTER_PREFIX, Topic
from mq.broker.store.commit_log import SegmentView
from mq.broker.store.consume_queue import ConsumeQueue
from mq.core.entry import EntryKind
from mq.core.errors import DamageError, RefusedError
from mq.core.ids import LogIndex, QueueOffset
from mq.core.message import MessageKind
from mq.server.node import BrokerNode
from mq.server.turns import Turns
from mq.server.young import YoungEntries

__all__ = ["Retention"]

_EVERY_S = 5.0
_DEAD_KEPT_MS = 72 * 3600_000
"""RocketMQ: fileReservedTime, 72 hours."""
_LATE = frozenset({MessageKind.DELAY, MessageKind.TRANSACTION})
"""Messages of these become visible some time after they were stored."""
_PAGE_ENTRIES = 64
_SHARE = 0.2
"""Of the event loop's time, while queues are read."""
_log = logging.getLogger(__name__)


class Retention:
    """Keeps the log below `bytes_max` bytes and `age_ms_max` of age (0: no limit), by whole sealed segments.

    A segment that a delayed or half message still needs is kept, one that holds a dead letter too (for `age_ms_max` after
    its death, or 72 hours), and one that no snapshot covers yet. The age of a message counts from when it became visible; for
    `bytes_max` it goes as soon as it is.
    """

    def __init__(self, node: BrokerNode, *, bytes_max: int, age_ms_max: int) -> None:
        self._node, self._bytes_max, self._age_ms_max = node, bytes_max, age_ms_max
        self._young = YoungEntries(node.reader)

    async def work_forever(self) -> None:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.work()

    async def work(self) -> int:
        """Drop what may go; returns the first index kept, or 0 when nothing was dropped."""
        segments = self._node.log.segments()
        self._young.forget_all_but(queue for _topic, queue in self._queues())
        keep = await self._first_kept(segments)
        if keep == 0:
            return 0
        first = segments[keep].first_index
        floors = await self._floors(await self._store_ms(segments[keep]), first)
        outcome = await self._node.propose(c.DropBefore(*self._node.stamps(), first, tuple(floors)))
        if isinstance(outcome, RefusedError):
            raise outcome
        _log.info("retention: dropped %d segment(s), the log begins at index %d", keep, first)
        return first

    async def _first_kept(self, segments: tuple[SegmentView, ...]) -> int:
        """Number of the first segment to keep."""
        total = sum(s.size_bytes for s in segments)
        now_ms, keep, hidden = self._node.wall_ms(), 0, 0
        for number, (segment, following) in enumerate(pairwise(segments), 1):
            if following.first_index > self._node.machine.applied_index:
                break  # what it begins with may not be written yet
            too_big = self._bytes_max > 0 and total > self._bytes_max
            too_old = self._age_ms_max > 0 and await self._store_ms(following) < now_ms - self._age_ms_max
            if not (too_big or too_old):
                break
            # What is hidden later lies behind all this; who asks for the oldest goes through them all.
            hidden = hidden or self._node.machine.oldest_hidden() or sys.maxsize
            if hidden < following.first_index:
                break
            if await self._is_young_before(following.first_index, now_ms, is_with_late=not too_big):
                break
            total -= segment.size_bytes
            if self._node.has_snapshot_before(following.first_index):
                keep = number
        return keep

    async def _is_young_before(self, index: int, now_ms: int, *, is_with_late: bool) -> bool:
        """Whether a message that died a short time ago lies before a log index.

        is_with_late: or one that was stored long ago and became visible a short time ago.
        """
        since_ms = now_ms - (self._age_ms_max or _DEAD_KEPT_MS)
        for _ in range(2):  # what dies during a long look is found by another one, which is short
            turns = Turns(_SHARE)
            for topic, queue in self._queues():
                if topic.name.startswith(DEAD_LETTER_PREFIX) or (is_with_late and topic.kind in _LATE):
                    try:
                        if await self._young.is_one_before(index, queue, since_ms, turns):
                            return True
                    except DamageError:
                        if self._is_there(topic):
                            raise
            if not turns.pauses:
                break
        return False

    def _queues(self) -> Iterator[tuple[Topic, ConsumeQueue]]:
        """Of all topics. They come and go while files are read: what is gone by its turn is left out."""
        for topic in list(self._node.machine.topics.values()):
            for queue in tuple(topic.queues):
                if self._is_there(topic):
                    yield topic, queue

    def _is_there(self, topic: Topic) -> bool:
        return self._node.machine.topics.get(topic.name) is topic  # and not another one that was made under its name

    async def _store_ms(self, segment: SegmentView) -> int:
        """Wall time of the first command from a segment's beginning on: all before it are as old or older."""
        for number in range(segment.first_index, self._node.machine.applied_index + 1):
            index = LogIndex(number)
            ((entry, _),) = await self._node.reader.entries(index, index, 1)
            if entry.kind == EntryKind.COMMAND:
                return c.decode_command(entry.payload).wall_ms
        return self._node.machine.wall_ms

    async def _floors(self, store_ms: int, index: int) -> list[tuple[str, int, int]]:
        """For each queue that loses something the offset that it begins at afterwards: its first of entry `index` or later.

        Nothing in it depends on where this node's segments begin, so it is right on every replica.
        """
        floors, turns = [], Turns(_SHARE)
        for topic, queue in self._queues():
            try:
                floor = await self._floor_of(queue, store_ms, index, turns)
            except DamageError:
                if self._is_there(topic):
                    raise
                continue
            if floor > queue.min_offset:
                floors.append((topic, queue.queue_id, int(floor)))
        return [(topic.name, queue_id, floor) for topic, queue_id, floor in floors if self._is_there(topic)]

    async def _floor_of(self, queue: ConsumeQueue, store_ms: int, index: int, turns: Turns) -> QueueOffset:
        """The time leads near the entry; of what was stored in the same millisecond, a part may lie in front of it.

        In front of dead letters lie all those that died later than that and are to go, too.
        """
        floor = await self._node.reader.run(partial(queue.offset_at, store_ms))
        while entries := await self._node.reader.run(partial(queue.entries, floor, _PAGE_ENTRIES)):
            for entry in entries:
                if entry.log_index >= index:
                    return floor
                floor = QueueOffset(entry.base_offset + entry.count)
            if turns.is_over:
                await turns.pause()
        return floor
