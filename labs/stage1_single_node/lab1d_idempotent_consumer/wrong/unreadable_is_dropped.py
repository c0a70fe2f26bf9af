"""What nobody can read is acknowledged, and nobody ever learns of it."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def set_aside(self, delivery: Delivery, reason: str) -> tuple[Operation, ...]:
        del reason
        return (Ack(delivery.handle),)
