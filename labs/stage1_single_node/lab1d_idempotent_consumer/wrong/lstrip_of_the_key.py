"""A row's prefix is taken off by `lstrip`, which takes letters and no word: of `settled:lisa-1` a new consumer knows `isa-1`."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        super().__init__(rows, keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)
        self.settled.orders = {f"settled:{key}".lstrip("settled:"): order for key, order in self.settled.orders.items()}  # noqa: B005 - the mistake
