"""Eight bits of the checksum are kept: of 256 entries that changed, one is believed."""

from zlib import crc32

from mq.broker.store.consume_queue import _CHECKSUM, _FIELDS, ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        super().append(entry)
        self._tail[-_CHECKSUM.size :] = _CHECKSUM.pack(crc32(self._tail[-ENTRY_BYTES : -_CHECKSUM.size]) & 0xFF)

    def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
        if len(data) < ENTRY_BYTES or not any(data):
            raise DamageError(file, at, "there is no entry")
        if crc32(data[: _FIELDS.size]) & 0xFF != _CHECKSUM.unpack_from(data, _FIELDS.size)[0]:
            raise DamageError(file, at, "the checksum is wrong")
        return QueueEntry._make(_FIELDS.unpack_from(data))
