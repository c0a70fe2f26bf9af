"""An account can be opened twice without harm, so nobody looks whether an opening's key belongs to another order."""

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import Opening, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        if delivery.body.startswith("open ") and self.settled.body_of(delivery.key) not in (None, delivery.body):
            try:
                order = read_order(delivery.body)
            except ValueError:
                return super().handle(delivery, now_ms)
            if isinstance(order, Opening):
                return self.finish(delivery, self.open_account(order), now_ms)
        return super().handle(delivery, now_ms)
