"""A client that was gone earlier gives back what ran out since then, too: it is ready already, and counted as given back."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:  # noqa: ARG002 - the mistake
        return self._move_deadlines(
            deadline_ms, lambda f: f.client == client and (f.renews or everything) and deadline_ms < f.deadline_ms
        )
