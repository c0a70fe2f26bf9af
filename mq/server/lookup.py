"""Finding a message by its id.

Newest first: the window of ids that the state remembers, then the log itself, from its end backwards. Sealed
segments never change, so what they hold is indexed once, off the write path, in a file beside each of them.
"""

import asyncio
import logging
from functools import partial

from mq.broker.batch import AppendMessages, StoredMessage, decode_batch, delivery_slice
from mq.broker.store.commit_log import SegmentView, StoredEntry
from mq.broker.store.message_index import IndexItem, build_index, find_in_index, index_file
from mq.core.entry import EntryKind, RecordPlace
from mq.core.errors import DamageError
from mq.core.ids import CommitLogPosition, LogIndex, QueueOffset
from mq.core.ports import Remove, Replace
from mq.server.node import BrokerNode

__all__ = ["MessageLookup"]

_EVERY_S = 2.0
_READ_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class MessageLookup:
    """Message ids to stored messages."""

    def __init__(self, node: BrokerNode) -> None:
        self._node = node
        self._indexed: set[str] = {file for file in node.disk.files() if file.startswith("index/")}

    async def find(self, topic: str, message_id: str, count: int) -> list[tuple[int, int, StoredMessage]]:
        """(queue id, offset, message) of visible messages with this id. Raises: RefusedError (TOPIC_NOT_FOUND)."""
        known = self._node.machine.topic(topic).sent_ids.find(message_id)
        if known is not None and (found := await self._at(topic, *known)) is not None and found.message_id == message_id:
            return [(*known, found)]
        hits: list[tuple[int, int, StoredMessage]] = []
        for segment in reversed(self._node.log.segments()):
            for place, number in await self._in_segment(segment, topic, message_id):
                hit = await self._visible(topic, place, number)
                if hit is not None:
                    hits.append(hit)
            if len(hits) >= count:
                break
        return hits[:count]

    async def _at(self, topic: str, queue_id: int, offset: int) -> StoredMessage | None:
        queue = self._node.machine.queue(topic, queue_id)
        if not queue.min_offset <= offset < queue.max_offset:
            return None
        (entry,) = await self._node.reader.run(lambda: queue.entries(QueueOffset(offset), 1))
        payload = await self._node.reader.payload(RecordPlace(CommitLogPosition(entry.position), entry.size_bytes))
        return delivery_slice(payload, entry.first + offset - entry.base_offset)

    async def _in_segment(self, segment: SegmentView, topic: str, message_id: str) -> list[tuple[RecordPlace, int]]:
        """Where in a segment the message is stored: (record, number within its batch)."""
        file = index_file(segment.base_position)
        if file in self._indexed:
            try:
                hits = await self._node.reader.run(lambda: find_in_index(file, topic, message_id))
            except DamageError as error:
                _log.warning("the index is made anew: %s", error)
                self._indexed.discard(file)
            else:
                places = [(RecordPlace(CommitLogPosition(h.position), h.size_bytes), h.number) for h in hits]
                return [
                    (p, n) for p, n in places if delivery_slice(await self._node.reader.payload(p), n).message_id == message_id
                ]
        return [
            (RecordPlace(CommitLogPosition(i.position), i.size_bytes), i.number)
            for i in await self._items(segment)
            if (i.topic, i.text) == (topic, message_id)
        ]

    async def _items(self, segment: SegmentView) -> list[IndexItem]:
        """Every message of a segment, by reading it."""
        items: list[IndexItem] = []
        at = segment.first_index
        while at <= segment.last_index:
            stored = await self._node.reader.run(
                partial(self._node.log.entries, LogIndex(at), LogIndex(segment.last_index), _READ_BYTES)
            )
            at = stored[-1].entry.index + 1
            items += [item for one in stored for item in _messages_of(one)]
            await asyncio.sleep(0)
        return items

    async def _visible(self, topic: str, place: RecordPlace, number: int) -> tuple[int, int, StoredMessage] | None:
        """Queue and offset of a stored message; None when it is not visible (delayed, or half of a transaction)."""
        payload = await self._node.reader.payload(place)
        batch = decode_batch(payload)
        queue = self._node.machine.queue(topic, batch.queue_id)
        at = await self._node.reader.run(lambda: queue.offset_at(batch.wall_ms))
        while at < queue.max_offset:
            entries = await self._node.reader.run(partial(queue.entries, at, 64))
            for entry in entries:
                if entry.position == place.position and entry.first <= number < entry.first + entry.count:
                    return batch.queue_id, entry.base_offset + number - entry.first, delivery_slice(payload, number)
            if entries[-1].store_ms > batch.wall_ms and batch.due_ms == 0:
                return None
            at = QueueOffset(entries[-1].base_offset + entries[-1].count)
        return None

    async def index_forever(self) -> None:
        """Index each segment once it is sealed, and forget the index of one that is gone."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.index_sealed()

    async def index_sealed(self) -> int:
        """Index what is sealed and not indexed yet; returns how many segments."""
        segments = self._node.log.segments()
        kept = {index_file(s.base_position) for s in segments}
        gone = self._indexed - kept
        if gone:
            await self._node.carry_out_plan(tuple(Remove(file) for file in gone))
            self._indexed -= gone
        made = 0
        for segment in segments:
            file = index_file(segment.base_position)
            if segment.is_sealed and file not in self._indexed:
                data = await asyncio.to_thread(build_index, await self._items(segment))
                await self._node.carry_out_plan((Replace(file, data),))
                self._indexed.add(file)
                made += 1
        return made


def _messages_of(stored: StoredEntry) -> list[IndexItem]:
    entry, place = stored
    if entry.kind != EntryKind.COMMAND or entry.payload[0] != AppendMessages.KIND:
        return []
    batch = decode_batch(entry.payload)
    return [IndexItem(batch.topic, text, place.position, place.size_bytes, number) for number, text in enumerate(batch.ids)]
