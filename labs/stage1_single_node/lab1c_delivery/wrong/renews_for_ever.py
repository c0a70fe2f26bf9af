"""A renewal does not ask when a message was received: a consumer that hangs keeps it for ever."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:  # noqa: ARG002 - the mistake
        return super().renew(client, deadline_ms, now_ms=now_ms, since=0, not_before_ms=min(0, not_before_ms))
