"""What nobody can read raises, the consumer dies of it, and the message comes again."""

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def set_aside(self, delivery: Delivery, reason: str) -> tuple[Operation, ...]:
        read_order(delivery.body)
        return super().set_aside(delivery, reason)
