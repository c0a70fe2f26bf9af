"""What is old is forgotten in memory, and its rows stay in the store."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation, Save
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def finish(self, delivery: Delivery, rows: Mapping[str, str | None], now_ms: int) -> tuple[Operation, ...]:
        save, ack = super().finish(delivery, rows, now_ms)
        kept = {name: value for name, value in save.rows.items() if value is not None} if isinstance(save, Save) else {}
        return Save(kept), ack
