"""What a client gives back is taken out of flight, and the queue is read again from there."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:  # noqa: ARG002 - the mistake
        count = 0
        for queue_id in self.queues():
            progress = self.queue(queue_id)
            for offset, flight in sorted(progress.in_flight.items(), reverse=True):
                if flight.client == client and (flight.renews or everything) and flight.deadline_ms > now_ms:
                    del progress.in_flight[offset]
                    progress.next_offset = min(progress.next_offset, offset)
                    count += 1
        return count
