"""A consumer of orders whose effects happen once, though its messages come at least once.

The store has rows of text: `account:CUSTOMER` and `total` (loaves booked, as a number), `aside:MESSAGE_ID` (why a message was set
aside, for people to look at), and what the consumer notes for itself. See also Pat Helland,
"Idempotence is not a medical condition" (ACM Queue, 2012).
"""

from collections.abc import Mapping

from lab1d_idempotent_consumer.settled import Settled
from labs.stage1_single_node.lab1d_idempotent_consumer.orders import BadOrderError, Opening, Order, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, GiveBack, Operation, Save

__all__ = ["OrderConsumer"]

_ACCOUNT, _TOTAL, _ASIDE = "account:", "total", "aside:"


class OrderConsumer:
    """accounts: loaves by customer; total: of all. settled: see `Settled`.

    What it knows is always what the rows will say once all its plans are carried out. When that goes wrong, it is thrown away.
    """

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:
        self.attempts_max, self.retry_ms = attempts_max, retry_ms
        self.settled = Settled(rows, keep_ms)
        self.total = int(rows.get(_TOTAL, "0"))
        self.accounts = {name.removeprefix(_ACCOUNT): int(value) for name, value in rows.items() if name.startswith(_ACCOUNT)}

    def handle(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        """What has to be done about a delivery, in this order."""
        raise NotImplementedError("lab 1d: OrderConsumer.handle")

    def open_account(self, opening: Opening) -> dict[str, str | None]:
        """The rows that change when an account is opened; none when it is open."""
        if opening.customer in self.accounts:
            return {}
        self.accounts[opening.customer] = 0
        return {_ACCOUNT + opening.customer: "0"}

    def book(self, order: Order) -> dict[str, str | None]:
        """An order's effect: the customer's account and the total grow. Returns the rows that change."""
        raise NotImplementedError("lab 1d: OrderConsumer.book")

    def finish(self, delivery: Delivery, rows: Mapping[str, str | None], now_ms: int) -> tuple[Operation, ...]:
        """The order is settled: its effect (`rows`), that it is settled, and what may be forgotten; then the ack."""
        raise NotImplementedError("lab 1d: OrderConsumer.finish")

    def set_aside(self, delivery: Delivery, reason: str) -> tuple[Operation, ...]:
        """Nothing will ever come of this message: a row `aside:MESSAGE_ID` says why, and the queue goes on."""
        raise NotImplementedError("lab 1d: OrderConsumer.set_aside")

    def not_yet(self, delivery: Delivery, now_ms: int) -> tuple[Operation, ...]:
        """The account is not open yet: try again later. With the last attempt it is set aside, and its order is settled."""
        if delivery.attempt < self.attempts_max:
            return (GiveBack(delivery.handle, self.retry_ms),)
        raise NotImplementedError("lab 1d: OrderConsumer.not_yet")
