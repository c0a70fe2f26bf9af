"""An entry that begins at the right offset is believed."""

from mq.broker.store.consume_queue import _FIELDS, ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError


class ConsumeQueue(Reference):
    """See above."""

    def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
        if len(data) < ENTRY_BYTES or data == bytes(ENTRY_BYTES):
            raise DamageError(file, at, "the entry is not there")
        return QueueEntry._make(_FIELDS.unpack_from(data))
