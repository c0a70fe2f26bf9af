"""A copy is passed over, without a word to the broker: it comes again for ever."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, GiveBack, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        plan = super().handle(delivery, now_ms)
        return plan if len(plan) > 1 or isinstance(plan[0], GiveBack) else ()
