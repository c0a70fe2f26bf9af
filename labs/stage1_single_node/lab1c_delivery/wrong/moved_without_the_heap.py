"""A renewal moves the deadline in the record, and the order by deadlines is not told of it."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        kept = {queue_id: list(self.queue(queue_id).ready) for queue_id in self.queues()}
        count = super().renew(client, deadline_ms, now_ms=now_ms, since=since, not_before_ms=not_before_ms)
        for queue_id, ready in kept.items():
            self.queue(queue_id).ready = ready
        return count
