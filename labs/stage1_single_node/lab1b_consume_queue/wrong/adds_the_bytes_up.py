"""The checksum is the sum of all bytes: it is the same when two of them change places."""

from mq.broker.store.consume_queue import _CHECKSUM, _FIELDS, ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        super().append(entry)
        self._tail[-_CHECKSUM.size :] = _CHECKSUM.pack(sum(self._tail[-ENTRY_BYTES : -_CHECKSUM.size]))

    def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
        if len(data) < ENTRY_BYTES or not any(data):
            raise DamageError(file, at, "there is no entry")
        if sum(data[: _FIELDS.size]) != _CHECKSUM.unpack_from(data, _FIELDS.size)[0]:
            raise DamageError(file, at, "the sum of the bytes is wrong")
        return QueueEntry._make(_FIELDS.unpack_from(data))
