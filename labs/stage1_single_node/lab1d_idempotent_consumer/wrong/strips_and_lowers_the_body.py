"""White space around a body is taken off, and capitals are made small: what nobody can read is booked."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        return super().handle(delivery._replace(body=delivery.body.strip().lower()), now_ms)
