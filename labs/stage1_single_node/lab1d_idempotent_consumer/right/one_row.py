"""It keeps a copy of the rows and nothing else; all that it notes stands in one row, as JSON, with fingerprints of bodies."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import BadOrderError, Order, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, GiveBack, Operation, Save

__all__ = ["OrderConsumer"]

_NOTES = "notes"


class OrderConsumer:
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        self._rows = dict(rows)
        self._keep_ms, self._attempts_max, self._retry_ms = keep_ms, attempts_max, retry_ms

    def handle(self, delivery: Delivery, now_ms: int) -> Sequence[Operation]:
        plan = self._changes(delivery, now_ms)
        if plan is None:
            return [GiveBack(delivery.handle, self._retry_ms)]
        if not plan:
            return [Ack(delivery.handle)]
        self._rows |= plan
        return [Save(plan), Ack(delivery.handle)]

    def _changes(self, delivery: Delivery, now_ms: int) -> dict[str, str] | None:
        """The rows that change; None when it cannot be done yet."""
        notes = json.loads(self._rows.get(_NOTES, "{}"))
        mark = sha256(delivery.body.encode()).hexdigest()[:24]
        aside = f"aside:{delivery.message_id}"
        try:
            order = read_order(delivery.body)
        except BadOrderError as error:
            return {aside: str(error)}
        if delivery.key in notes:
            return {} if notes[delivery.key][1] == mark else {aside: "two orders with one key"}
        young = {key: note for key, note in notes.items() if now_ms - note[0] <= self._keep_ms}
        noted = {_NOTES: json.dumps({**young, delivery.key: [now_ms, mark]})}
        account = f"account:{order.customer}"
        if not isinstance(order, Order):
            return {account: self._rows.get(account, "0"), **noted}
        if account in self._rows:
            loaves, total = int(self._rows[account]), int(self._rows.get("total", "0"))
            return {account: str(loaves + order.loaves), "total": str(total + order.loaves), **noted}
        return None if delivery.attempt < self._attempts_max else {aside: "no account", **noted}
