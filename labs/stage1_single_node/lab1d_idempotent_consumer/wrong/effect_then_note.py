"""The effect is saved, and then that it happened, in a save of its own: who dies in between books twice."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, Operation, Save
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def finish(self, delivery: Delivery, rows: Mapping[str, str | None], now_ms: int) -> tuple[Operation, ...]:
        noted = self.settled.note(delivery.key, delivery.body, now_ms)
        return Save(rows), Save({**noted, **self.settled.forget(now_ms)}), Ack(delivery.handle)
