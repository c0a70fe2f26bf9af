"""An order for an account that never opens is given back again and again."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, GiveBack, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        del now_ms
        return (GiveBack(delivery.handle, self.retry_ms),)
