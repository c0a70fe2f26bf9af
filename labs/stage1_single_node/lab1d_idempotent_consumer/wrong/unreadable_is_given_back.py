"""What nobody can read is tried again, in case somebody can the next time."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, GiveBack, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def set_aside(self, delivery: Delivery, reason: str) -> tuple[Operation, ...]:
        return (
            (GiveBack(delivery.handle, self.retry_ms),)
            if delivery.attempt < self.attempts_max
            else super().set_aside(delivery, reason)
        )
