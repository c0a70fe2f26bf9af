"""All notes stand in one row, with commas between them and bars in them: keys have such signs, too."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.settled import Settled

__all__ = ["OrderConsumer"]


class _OneRow(Settled):
    """`KEY|TIME|BODY,KEY|TIME|BODY`."""

    def __init__(self, rows: Mapping[str, str], keep_ms: int) -> None:
        super().__init__({}, keep_ms)
        for note in filter(None, rows.get("settled", "").split(",")):
            key, at_ms, body, *_ = [*note.split("|"), "0", ""]
            self.orders[key] = (int(at_ms) if at_ms.isdigit() else 0, body)

    def note(self, key: str, body: str, now_ms: int) -> dict[str, str | None]:
        super().note(key, body, now_ms)
        super().forget(now_ms)
        return {"settled": ",".join(f"{key}|{at_ms}|{body}" for key, (at_ms, body) in self.orders.items())}

    def forget(self, _now_ms: int) -> dict[str, str | None]:
        return {}


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        super().__init__(rows, keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)
        self.settled = _OneRow(rows, keep_ms)
