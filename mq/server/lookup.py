"""Finding a message by its id.

Newest first: the window of ids that the state remembers, then the log itself, from its end backwards. Sealed
segments never change, so what they hold is indexed once, off the write path, in a file beside each of them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial

from mq.broker.batch import AppendMessages, StoredMessage, decode_batch, decode_ids, delivery_slice
from mq.broker.store.commit_log import SegmentView
from mq.broker.store.consume_queue import QueueEntry
from mq.broker.store.message_index import IndexBuilder, IndexedRecord, find_in_index, index_file
from mq.core.entry import EntryKind, RecordPlace
from mq.core.errors import DamageError
from mq.core.ids import CommitLogPosition, QueueOffset
from mq.core.ports import Remove, Replace
from mq.server.node import BrokerNode

__all__ = ["MessageLookup"]

_EVERY_S = 2.0
_BACKGROUND_SHARE = 0.25
"""Of the event loop's time, while a segment is indexed: senders and receivers come first."""
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
        if self._node.reader.is_gone(entry):
            return None
        return delivery_slice(await self._node.reader.stored(entry), entry.number_of(offset))

    async def _in_segment(self, segment: SegmentView, topic: str, message_id: str) -> list[tuple[RecordPlace, int]]:
        """Where in a segment the message is stored: (record, number within its batch)."""
        file = index_file(segment.base_position)
        places: list[RecordPlace] = []
        if file in self._indexed:
            try:
                hits = await self._node.reader.run(lambda: find_in_index(file, topic, message_id))
                places = [RecordPlace(CommitLogPosition(hit.position), hit.size_bytes) for hit in hits]
            except DamageError as error:
                _log.warning("the index is made anew: %s", error)
                self._indexed.discard(file)
        if file not in self._indexed:
            places = [
                RecordPlace(CommitLogPosition(record.position), record.size_bytes)
                async for record in self._records(segment, share=1.0)
                if record.topic == topic and message_id in record.ids
            ]
        found = []
        for place in places:
            stored_topic, ids = decode_ids((await self._node.reader.record(place)).payload)
            if stored_topic == topic and message_id in ids:
                found.append((place, ids.index(message_id)))
        return found

    async def _records(self, segment: SegmentView, *, share: float) -> AsyncIterator[IndexedRecord]:
        """Every record of a segment that holds messages, by reading it. share: of the time that this may take up."""
        async for stored in self._node.reader.slowly(segment.first_index, segment.last_index, share=share):
            for entry, place in stored:
                if entry.kind == EntryKind.COMMAND and entry.payload[0] == AppendMessages.KIND:
                    yield IndexedRecord(*decode_ids(entry.payload), place.position, place.size_bytes)

    async def _visible(self, topic: str, place: RecordPlace, number: int) -> tuple[int, int, StoredMessage] | None:
        """Queue and offset of a stored message; None when it is not visible (delayed, or half of a transaction)."""
        stored = await self._node.reader.record(place)
        payload = stored.payload
        batch = decode_batch(payload)
        queue = self._node.machine.queue(topic, batch.queue_id)
        at = await self._node.reader.run(lambda: queue.offset_at(batch.wall_ms))
        while at < queue.max_offset:
            entries = await self._node.reader.run(partial(queue.entries, at, 64))
            for entry in entries:
                is_covered = entry.first <= number < entry.first + entry.count
                if is_covered and entry.log_index == stored.index and await self._is_same(entry, place, payload):
                    return batch.queue_id, entry.base_offset + number - entry.first, delivery_slice(payload, number)
            if entries[-1].store_ms > batch.wall_ms and batch.due_ms == 0:
                return None
            at = QueueOffset(entries[-1].base_offset + entries[-1].count)
        return None

    async def _is_same(self, entry: QueueEntry, place: RecordPlace, payload: bytes) -> bool:
        """Whether a queue's entry means this record. One that a newer leader's entry superseded may have the same index."""
        if entry.place is None:
            return await self._node.reader.stored(entry) == payload
        return entry.place == place

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
                builder = IndexBuilder()
                async for record in self._records(segment, share=_BACKGROUND_SHARE):
                    builder.add(record)
                await self._node.carry_out_plan((Replace(file, await asyncio.to_thread(builder.to_bytes)),))
                self._indexed.add(file)
                made += 1
        return made
