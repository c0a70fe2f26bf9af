"""Rows that name their time, so that what is old is found by name; it tidies up with every delivery, with copies too."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import BadOrderError, Order, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, GiveBack, Operation, Save

__all__ = ["OrderConsumer"]


class OrderConsumer:
    """done: (time, key, body) of what is settled, in order of time."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        self.keep_ms, self.attempts_max, self.retry_ms = keep_ms, attempts_max, retry_ms
        self.numbers = {name: int(text) for name, text in rows.items() if name == "total" or name.startswith("account:")}
        self.done: list[tuple[int, str, str]] = []
        for name, body in rows.items():
            if name.startswith("done@"):
                at_ms, _, key = name.removeprefix("done@").partition("/")
                insort(self.done, (int(at_ms), key, body))

    def handle(self, delivery: Delivery, now_ms: int) -> list[Operation]:
        old = dict(self._tidied(now_ms))  # first: what no copy can come of any more is not known any more
        body = next((body for _, key, body in self.done if key == delivery.key), None)
        if body == delivery.body:
            return [Save(old), Ack(delivery.handle)] if old else [Ack(delivery.handle)]
        found = self._judged(delivery, is_known=body is not None)
        if isinstance(found, str) and found:
            return [Save({**old, f"aside:{delivery.message_id}": found}), Ack(delivery.handle)]
        rows = self._grown(found) if isinstance(found, Order) else {}
        if not isinstance(found, Order):
            customer = delivery.body.partition(":")[0].removeprefix("open ")
            if delivery.body.startswith("open "):
                rows = {f"account:{customer}": str(self.numbers.setdefault(f"account:{customer}", 0))}
            elif delivery.attempt < self.attempts_max:
                return [*([Save(old)] if old else []), GiveBack(delivery.handle, self.retry_ms)]
            else:
                rows = {f"aside:{delivery.message_id}": "too late"}
        insort(self.done, (now_ms, delivery.key, delivery.body))
        return [Save({**old, **rows, f"done@{now_ms}/{delivery.key}": delivery.body}), Ack(delivery.handle)]

    def _tidied(self, now_ms: int) -> Iterator[tuple[str, None]]:
        """Rows that go."""
        count = bisect_left(self.done, (now_ms - self.keep_ms, "", ""))
        gone, self.done = self.done[:count], self.done[count:]
        yield from ((f"done@{at_ms}/{key}", None) for at_ms, key, _ in gone)

    def _judged(self, delivery: Delivery, *, is_known: bool) -> Order | str:
        """The order when it can be booked; a reason when nothing will come of it; "" for all others."""
        try:
            order = read_order(delivery.body)
        except BadOrderError:
            return "nobody can read it"
        if is_known:
            return "its key was used"
        return order if isinstance(order, Order) and f"account:{order.customer}" in self.numbers else ""

    def _grown(self, order: Order) -> dict[str, str]:
        for name in ("total", f"account:{order.customer}"):
            self.numbers[name] = self.numbers.get(name, 0) + order.loaves
        return {name: str(self.numbers[name]) for name in ("total", f"account:{order.customer}")}
