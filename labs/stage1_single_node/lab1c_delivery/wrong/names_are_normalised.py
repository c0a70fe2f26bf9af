"""Blanks at the ends of a client's name are nothing to a renewal and a farewell: two clients are taken for one."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        return self._move_deadlines(
            deadline_ms,
            lambda f: f.client.strip() == client.strip() and f.renews and f.stamp >= since and f.taken_ms > not_before_ms
            and now_ms < f.deadline_ms <= deadline_ms,
        )  # fmt: skip

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        def is_meant(f: InFlight) -> bool:
            is_held = f.client.strip() == client.strip() and (f.renews or everything)
            return is_held and max(now_ms, deadline_ms) < f.deadline_ms

        return self._move_deadlines(deadline_ms, is_meant)
