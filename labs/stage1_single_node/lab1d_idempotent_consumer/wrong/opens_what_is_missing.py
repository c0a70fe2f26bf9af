"""An order for an account that is not there opens it: a mistyped name gets an account."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        self.accounts[delivery.body.partition(":")[0]] = 0
        return self.handle(delivery, now_ms)
