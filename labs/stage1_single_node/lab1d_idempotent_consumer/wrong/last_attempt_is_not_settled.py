"""With its last attempt an order is set aside, and its copy is booked later, when the account is open."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, GiveBack, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        plan = super().not_yet(delivery, now_ms)
        return plan if isinstance(plan[0], GiveBack) else self.set_aside(delivery, "there is no such account")
