"""What a settled order said is noted by its first twelve letters: another one with its key that differs later is a copy."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        settled = self.settled.body_of(delivery.key)
        is_alike = settled is not None and settled[:12] == delivery.body[:12]
        return super().handle(delivery._replace(body=settled) if settled is not None and is_alike else delivery, now_ms)
