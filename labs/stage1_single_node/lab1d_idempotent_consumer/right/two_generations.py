"""Notes in two generations, a row for each: when a span has passed, the older one goes as a whole. It also looks there lazily."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import BadOrderError, Opening, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, GiveBack, Operation, Save

__all__ = ["OrderConsumer"]


class OrderConsumer:
    """generations: by number (now / keep_ms), a body for each key. A row `g:NUMBER` holds one, a line for each key."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        self.span_ms, self.attempts_max, self.retry_ms = keep_ms, attempts_max, retry_ms
        self.seen = {name: value for name, value in rows.items() if not name.startswith("g:")}
        self.generations: dict[int, dict[str, str]] = {}
        for name in rows.keys() - self.seen.keys():
            lines = (line.partition("\t") for line in rows[name].splitlines())
            self.generations[int(name[2:])] = {key: body for key, _, body in lines}

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        known = [notes[delivery.key] for notes in self.generations.values() if delivery.key in notes]
        if delivery.body in known:
            return (Ack(delivery.handle),)
        try:
            order = read_order(delivery.body)
            reason = "this key was taken" if known else ""
        except BadOrderError as error:
            reason = f"unreadable: {error}"
        aside = f"aside:{delivery.message_id}"
        if reason:
            return Save({aside: reason}), Ack(delivery.handle)
        account = f"account:{order.customer}"
        if isinstance(order, Opening):
            return self._settle(delivery, {account: self.seen.get(account, "0")}, now_ms)
        if account not in self.seen and delivery.attempt < self.attempts_max:
            return (GiveBack(delivery.handle, self.retry_ms),)
        if account not in self.seen:
            return self._settle(delivery, {aside: f"nobody knows {order.customer}"}, now_ms)
        grown = {name: str(int(self.seen.get(name, "0")) + order.loaves) for name in (account, "total")}
        return self._settle(delivery, grown, now_ms)

    def _settle(self, delivery: Delivery, rows: dict[str, str], now_ms: int) -> tuple[Operation, ...]:
        self.seen |= rows
        number = now_ms // self.span_ms
        gone: dict[str, str | None] = {f"g:{old}": None for old in self.generations if old < number - 1}
        self.generations = {old: notes for old, notes in self.generations.items() if old >= number - 1}
        young = self.generations.setdefault(number, {})
        young[delivery.key] = delivery.body
        noted = {f"g:{number}": "\n".join(f"{key}\t{body}" for key, body in young.items())}
        return Save({**rows, **gone, **noted}), Ack(delivery.handle)
