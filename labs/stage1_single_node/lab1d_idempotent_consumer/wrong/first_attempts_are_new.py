"""A first attempt cannot be a copy, so nobody looks: but a producer can send twice."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        if delivery.attempt == 1:
            self.settled.orders.pop(delivery.key, None)
        return super().handle(delivery, now_ms)
