"""It stops to forget at the first young order, as if rows came back in the order in which they were saved."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.settled import Settled

__all__ = ["OrderConsumer"]


class _Settled(Settled):
    def forget(self, now_ms: int) -> dict[str, str | None]:
        gone: dict[str, str | None] = {}
        for key, (at_ms, _) in list(self.orders.items()):
            if at_ms + self.keep_ms >= now_ms:
                break
            del self.orders[key]
            gone[f"settled:{key}"] = None
        return gone


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        super().__init__(rows, keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)
        self.settled = _Settled(rows, keep_ms)
