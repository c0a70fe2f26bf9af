"""An order that comes before its account is set aside at once, though the account is on its way."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        return super().not_yet(delivery._replace(attempt=self.attempts_max), now_ms)
