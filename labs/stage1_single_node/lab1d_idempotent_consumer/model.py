"""What must come of a delivery, and what the store's rows must say then: a consumer that never forgets and never dies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import BadOrderError, Opening, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Delivery

__all__ = ["Effects", "Ledger", "Outcome"]


class Effects(NamedTuple):
    """What people see of the store. aside: message ids."""

    accounts: tuple[tuple[str, int], ...]
    total: int
    aside: tuple[str, ...]


class Outcome(NamedTuple):
    """rule: which one decides it. word: for people. is_back: whether the message is given back."""

    rule: int
    word: str
    is_back: bool = False


@dataclass(slots=True)
class Ledger:
    """settled: by key, what its body said and when that was (ms)."""

    accounts: dict[str, int] = field(default_factory=dict)
    total: int = 0
    aside: frozenset[str] = frozenset()
    settled: dict[str, tuple[str, int]] = field(default_factory=dict)

    def copy(self) -> "Ledger":
        """One that goes its own way."""
        return Ledger(dict(self.accounts), self.total, self.aside, dict(self.settled))

    def effects(self) -> Effects:
        """What the rows must say."""
        return Effects(tuple(sorted(self.accounts.items())), self.total, tuple(sorted(self.aside)))

    def take(self, delivery: Delivery, now_ms: int, attempts_max: int) -> Outcome:
        """Carry it out here."""
        known = self.settled.get(delivery.key)
        if known is not None and known[0] == delivery.body:
            return Outcome(1, "a copy of what is settled")
        try:
            order = read_order(delivery.body)
        except BadOrderError:
            self.aside |= {delivery.message_id}
            return Outcome(7, "nobody can read it")
        if known is not None:
            self.aside |= {delivery.message_id}
            return Outcome(6, "its key belongs to another order")
        if isinstance(order, Opening):
            self.accounts.setdefault(order.customer, 0)
        elif order.customer in self.accounts:
            self.accounts[order.customer] += order.loaves
            self.total += order.loaves
        elif delivery.attempt < attempts_max:
            return Outcome(8, "the account is not open yet", is_back=True)
        else:
            self.aside |= {delivery.message_id}
            self.settled[delivery.key] = (delivery.body, now_ms)
            return Outcome(8, "the last attempt, and the account is not open")
        self.settled[delivery.key] = (delivery.body, now_ms)
        return Outcome(1, "an order to be booked" if not isinstance(order, Opening) else "an account to be opened")

    @staticmethod
    def found_in(rows: Mapping[str, str]) -> Effects | str:
        """What rows say; a sentence when they say it in another way."""
        accounts: dict[str, int] = {}
        total, aside = 0, list[str]()
        for name, value in rows.items():
            kind, _, what = name.partition(":")
            if name == "total" or kind == "account":
                if not (value.isascii() and value.isdigit()):
                    return f"the row `{name}` is {value[:20]!r}, and no number"
                accounts |= {what: int(value)} if kind == "account" else {}
                total = int(value) if name == "total" else total
            elif kind == "aside":
                if not value:
                    return f"the row `{name}` says no reason"
                aside.append(what)
        return Effects(tuple(sorted(accounts.items())), total, tuple(sorted(aside)))
