"""What is given back gets the new deadline, also when its own was earlier."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:  # noqa: ARG002 - the mistake
        return self._move_deadlines(deadline_ms, lambda f: f.client == client and (f.renews or everything))
