"""What was given back owns its key, though nothing came of it: another order with it, which can be booked, is set aside."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        super().__init__(rows, keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)
        self.given_back: dict[str, str] = {}

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        if self.settled.body_of(delivery.key) is None and self.given_back.get(delivery.key, delivery.body) != delivery.body:
            return self.set_aside(delivery, "the key belongs to an order that came first")
        return super().handle(delivery, now_ms)

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        if delivery.attempt < self.attempts_max:
            self.given_back[delivery.key] = delivery.body
        return super().not_yet(delivery, now_ms)
