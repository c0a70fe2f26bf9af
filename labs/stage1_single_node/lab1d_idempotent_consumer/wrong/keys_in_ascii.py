"""A note's row is called by the ASCII letters of its key: of `küche-1` a new consumer knows `kche-1`."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        super().__init__(rows, keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)
        orders = self.settled.orders
        self.settled.orders = {key.encode("ascii", "ignore").decode(): order for key, order in orders.items()}
