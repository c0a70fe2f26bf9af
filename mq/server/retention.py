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
from mq.core.errors import RefusedError
from mq.core.ids import LogIndex, QueueOffset
from mq.core.message import MessageKind
from mq.core.ports import Steps
from mq.server.node import BrokerNode

__all__ = ["Retention"]

_EVERY_S = 5.0
_DEAD_KEPT_MS = 72 * 3600_000
"""RocketMQ: fileReservedTime, 72 hours."""
_LATE = frozenset({MessageKind.DELAY, MessageKind.TRANSACTION})
"""Messages of these become visible some time after they were stored."""
_ENTRIES_PER_LOOK = 64
_log = logging.getLogger(__name__)


class Retention:
    """Keeps the log below `bytes_max` bytes and `age_ms_max` of age (0: no limit), by whole sealed segments.

    A segment that a delayed or half message still needs is kept, one that holds a dead letter too (for `age_ms_max` after
    its death, or 72 hours), and one that no snapshot covers yet. The age of a message counts from when it became visible; for
    `bytes_max` it goes as soon as it is.
    """

    def __init__(self, node: BrokerNode, *, bytes_max: int, age_ms_max: int) -> None:
        self._node, self._bytes_max, self._age_ms_max = node, bytes_max, age_ms_max

    async def work_forever(self) -> None:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.work()

    async def work(self) -> int:
        """Drop what may go; returns the first index kept, or 0 when nothing was dropped."""
        segments = self._node.log.segments()
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
        hidden = self._node.machine.oldest_hidden()
        total = sum(s.size_bytes for s in segments)
        now_ms, keep, young = self._node.wall_ms(), 0, dict[bool, int]()
        for number, (segment, following) in enumerate(pairwise(segments), 1):
            if following.first_index > self._node.machine.applied_index:
                break  # what it begins with may not be written yet
            too_big = self._bytes_max > 0 and total > self._bytes_max
            too_old = self._age_ms_max > 0 and await self._store_ms(following) < now_ms - self._age_ms_max
            needed = hidden is not None and hidden < following.first_index
            if not (too_big or too_old) or needed:
                break
            if too_big not in young:
                young[too_big] = await self._oldest_young(now_ms, is_with_late=not too_big)
            if young[too_big] < following.first_index:
                break
            total -= segment.size_bytes
            if self._node.has_snapshot_before(following.first_index):
                keep = number
        return keep

    async def _oldest_young(self, now_ms: int, *, is_with_late: bool) -> int:
        """The lowest log index of a young dead letter; beyond the log when there is none.

        is_with_late: also of what was stored long ago and became visible a short time ago.
        """
        lowest, since_ms = self._node.log.last_index + 1, now_ms - (self._age_ms_max or _DEAD_KEPT_MS)
        for topic, queue in self._queues():
            if topic.name.startswith(DEAD_LETTER_PREFIX) or (is_with_late and topic.kind in _LATE):
                lowest = min(lowest, await self._node.reader.run(partial(_lowest_index, queue, since_ms)))
        return lowest

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
            ((entry, _),) = await self._node.reader.run(partial(self._node.log.entries, index, index, 1))
            if entry.kind == EntryKind.COMMAND:
                return c.decode_command(entry.payload).wall_ms
        return self._node.machine.wall_ms

    async def _floors(self, store_ms: int, index: int) -> list[tuple[str, int, int]]:
        """For each queue that loses something the offset that it begins at afterwards: its first of entry `index` or later.

        Nothing in it depends on where this node's segments begin, so it is right on every replica.
        """
        floors = []
        for topic, queue in self._queues():
            floor = await self._node.reader.run(partial(_floor_of, queue, store_ms, index))
            if floor > queue.min_offset:
                floors.append((topic, queue.queue_id, int(floor)))
        return [(topic.name, queue_id, floor) for topic, queue_id, floor in floors if self._is_there(topic)]


def _lowest_index(queue: ConsumeQueue, since_ms: int) -> Steps[int]:
    """Of the entries stored since a wall time; dead letters do not lie in the order in which they died."""
    lowest, at = sys.maxsize, (yield from queue.offset_at(since_ms))
    while entries := (yield from queue.entries(at, _ENTRIES_PER_LOOK)):
        lowest = min(lowest, *(entry.log_index for entry in entries))
        at = QueueOffset(entries[-1].base_offset + entries[-1].count)
    return lowest


def _floor_of(queue: ConsumeQueue, store_ms: int, index: int) -> Steps[QueueOffset]:
    """The time leads near the entry; of what was stored in the same millisecond, a part may lie in front of it."""
    floor = yield from queue.offset_at(store_ms)
    while entries := (yield from queue.entries(floor, _ENTRIES_PER_LOOK)):
        for entry in entries:
            if entry.log_index >= index:
                return floor
            floor = QueueOffset(entry.base_offset + entry.count)
    return floor
