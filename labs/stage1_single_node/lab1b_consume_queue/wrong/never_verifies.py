"""What stands in a file is believed."""

from mq.broker.store.consume_queue import _FIELDS, ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
        del file, at
        return QueueEntry._make(_FIELDS.unpack_from(data.ljust(ENTRY_BYTES, bytes(1))))
