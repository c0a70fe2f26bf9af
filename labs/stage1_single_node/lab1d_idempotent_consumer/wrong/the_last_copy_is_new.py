"""A copy that comes `keep_ms` after its order was settled is taken for a new order."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        settled = self.settled.orders.get(delivery.key)
        if settled is not None and now_ms - settled[0] >= self.settled.keep_ms:
            del self.settled.orders[delivery.key]
        return super().handle(delivery, now_ms)
