"""A renewal revives what ran out already, and may be on its way to another consumer."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        return super().renew(client, deadline_ms, now_ms=min(0, now_ms), since=since, not_before_ms=not_before_ms)
