"""A note is a row that is called as the order's key is: an order with the key `total` takes the total's place."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.settled import Settled

__all__ = ["OrderConsumer"]


class _Bare(Settled):
    """Without a prefix."""

    def __init__(self, rows: Mapping[str, str], keep_ms: int) -> None:
        super().__init__({}, keep_ms)
        for name, value in rows.items():
            if name != "total" and not name.startswith(("account:", "aside:")):
                self.load(name, value)

    def note(self, key: str, body: str, now_ms: int) -> dict[str, str | None]:
        return {name.removeprefix("settled:"): value for name, value in super().note(key, body, now_ms).items()}

    def forget(self, now_ms: int) -> dict[str, str | None]:
        return {name.removeprefix("settled:"): None for name in super().forget(now_ms)}


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        super().__init__(rows, keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)
        self.settled = _Bare(rows, keep_ms)
