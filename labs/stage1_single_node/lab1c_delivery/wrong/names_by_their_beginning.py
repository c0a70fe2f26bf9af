"""A renewal for one client renews also what clients hold whose names begin with its own."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        return self._move_deadlines(
            deadline_ms,
            lambda f: f.client.startswith(client) and f.renews and f.stamp >= since and f.taken_ms > not_before_ms
            and now_ms < f.deadline_ms <= deadline_ms,
        )  # fmt: skip
