"""Whatever comes with a known key is a copy: another order with that key is lost without a word."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        return (Ack(delivery.handle),) if self.settled.body_of(delivery.key) is not None else super().handle(delivery, now_ms)
