"""Orders are numbered, so the highest one seen is remembered, and what is below it counts as done."""

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, Operation
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        highest = max(map(_number_of, self.settled.orders), default=0)
        return super().handle(delivery, now_ms) if _number_of(delivery.key) >= highest else (Ack(delivery.handle),)


def _number_of(key: str) -> int:
    return int("".join(filter(str.isdigit, key)))
