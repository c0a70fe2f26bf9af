"""All that a node has stored, read back from its disk, for the checkers."""

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from mq.broker.batch import delivery_slice
from mq.broker.machine import BrokerMachine
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ConsumeQueue, QueueEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.ids import LogIndex, QueueOffset
from mq.core.ports import Disk, drive

__all__ = ["QueuedMessage", "StoreView", "checksum", "message_at", "view_store"]

_READ_BYTES = 1 << 20
_ENTRIES_PER_LOOK = 64


class QueuedMessage(NamedTuple):
    """One message as consumers would find it. body: checksum."""

    offset: int
    message_id: str
    body: str


class StoreView(NamedTuple):
    """entries: checksum of the payload by index; queues: messages by topic and queue id."""

    first_index: int
    last_index: int
    entries: dict[int, str]
    queues: dict[tuple[str, int], list[QueuedMessage]]


def checksum(data: bytes) -> str:
    """A word that stands for some bytes in a trace; never a number, so that it is read back as it was."""
    return f"x{crc32(data):08x}"


def message_at(log: CommitLog, disk: Disk, entry: QueueEntry, offset: int) -> tuple[str, str]:
    """(message id, checksum of its bytes) of one message that a consume-queue entry covers. Raises: DamageError."""
    found = delivery_slice(drive(RecordReader(log).payload(entry), disk), entry.number_of(offset))
    return found.message_id, checksum(found.stored)


def view_store(log: CommitLog, machine: BrokerMachine, disk: Disk) -> StoreView:
    """Everything that is stored. Raises: DamageError."""
    entries: dict[int, str] = {}
    wanted = int(log.first_index)
    while wanted <= log.last_index:
        for entry, _ in drive(log.entries(LogIndex(wanted), log.last_index, _READ_BYTES), disk):
            entries[int(entry.index)] = checksum(entry.payload)
            wanted += 1
    queues = {
        (topic.name, queue.queue_id): list(_messages(log, disk, queue))
        for topic in machine.topics.values()
        for queue in topic.queues
    }
    return StoreView(int(log.first_index), int(log.last_index), entries, queues)


def _messages(log: CommitLog, disk: Disk, queue: ConsumeQueue) -> Iterator[QueuedMessage]:
    wanted = int(queue.min_offset)
    while wanted < queue.max_offset:
        found = drive(queue.entries(QueueOffset(wanted), _ENTRIES_PER_LOOK), disk)
        for entry in found:
            end = entry.base_offset + entry.count
            for offset in range(max(wanted, entry.base_offset), end):
                yield QueuedMessage(offset, *message_at(log, disk, entry, offset))
            wanted = max(wanted, end)
        if not found:
            return
