"""What customers and keys of a case are called, and in which order a consumer that begins anew gets the rows.

Names of real shops: one begins with another one, or with letters of a row's name; keys have signs in them, and their numbers do
not always grow.
"""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

__all__ = ["FALLING", "ODD", "PLAIN", "SHOP", "Names", "names_of"]


class Names(NamedTuple):
    """keys: patterns that take turns; n: which key it is, from 1, down: a number that falls, half: one that two keys share.

    firsts: what the first keys are, before the patterns.
    is_backwards: rows come by name, the last one first.
    """

    customers: tuple[str, str, str] = ("anna", "ben", "carl")
    keys: tuple[str, ...] = ("k{n}",)
    is_backwards: bool = False
    firsts: tuple[str, ...] = ()

    def customer(self, number: int) -> str:
        """One of the three."""
        return self.customers[number % len(self.customers)]

    def key(self, number: int) -> str:
        """No two numbers have the same one."""
        if number <= len(self.firsts):
            return self.firsts[number - 1]
        return self.keys[number % len(self.keys)].format(n=number, down=999 - number, half=number // 2)

    def rows(self, rows: Mapping[str, str]) -> dict[str, str]:
        """All of them, in another order than they were saved in."""
        return dict(sorted(rows.items(), reverse=self.is_backwards))


PLAIN = Names()
SHOP = Names(("anna", "ann", "annabelle"), ("lisa-{down}", "shop:{down}", "delivery:{down}", "{down}"))
"""Of scripts and searches: all at once."""
FALLING = Names(SHOP.customers, ("north-sea-bakery/order.{down}",))
"""By name the last order comes first."""
_LONG = "north-sea-bakery/orders.{n:06}"
"""Thirty signs, as many as there may be: only at the end are two of them not the same."""
ODD = Names(
    SHOP.customers, (_LONG, *SHOP.keys[:2], "k\u00fcche-{n}", "shop|{n},{down};\"{n}'"),
    firsts=("total", "account:17", "aside:m1", "account:anna", "settled:total"),
)  # fmt: skip
"""Keys called as rows are that people see, with signs that may part fields, with letters of other languages, and long ones."""

_CUSTOMERS = (
    ("anna", "ben", "carl"),
    ("anna", "ann", "annabelle"),
    ("ben", "benedict", "be"),
    ("maximiliane", "maximilian", "max"),
    ("open", "total", "account"),
)
_KEYS = (
    ("k{n}",),
    ("order-{down}",),
    SHOP.keys,
    ("shop:{n:b}",),  # many of them begin with another one
    ("shop:{half}", "Shop:{half}"),
    ("{half}", "0{half}"),
    FALLING.keys,
    ODD.keys,
    (_LONG,),
    ("account:{n}", "aside:m{n}", "total:{n}", "total{n}"),
    ("{n}.order_of_north-sea-bakery",),
)


def names_of(seed: int) -> Names:
    """Of one seed."""
    rng = Random(f"names of {seed}")
    one, two, three = rng.sample(rng.choice(_CUSTOMERS), 3)
    return Names((one, two, three), rng.choice(_KEYS), rng.random() < 0.5)
