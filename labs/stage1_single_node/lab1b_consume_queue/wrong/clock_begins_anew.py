"""The last store time is not restored: a clock that went back meanwhile is believed."""

from dataclasses import replace

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.consume_queue import QueueState
from mq.core.ids import QueueOffset
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    @classmethod
    def restore(cls, topic: str, queue_id: int, state: QueueState, **sizes: int) -> "Reference":
        return super().restore(topic, queue_id, replace(state, last_store_ms=0), **sizes)

    def _offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        kept, self._last_store_ms = self._last_store_ms, 1 << 60
        try:
            return (yield from super()._offset_at(store_ms))
        finally:
            self._last_store_ms = kept
