"""An account is looked for by the beginning of its name: Ann seems to have one when Anna has."""

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import Order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        customer, loaves = delivery.body.split(": ")
        if not any(name.startswith(customer) for name in self.accounts):
            return super().not_yet(delivery, now_ms)
        self.accounts[customer] = 0
        return self.finish(delivery, self.book(Order(customer, int(loaves.split()[0]))), now_ms)
