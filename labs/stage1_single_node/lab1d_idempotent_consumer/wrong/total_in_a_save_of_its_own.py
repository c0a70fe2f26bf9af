"""The account and the note are saved together, and the total a moment later."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery, Operation, Save
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def finish(self, delivery: Delivery, rows: Mapping[str, str | None], now_ms: int) -> tuple[Operation, ...]:
        save, ack = super().finish(delivery, {name: value for name, value in rows.items() if name != "total"}, now_ms)
        return save, Save({"total": str(self.total)}), ack
