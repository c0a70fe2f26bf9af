"""What the messages say: `open anna` opens an account, `anna: 3 loaves` is an order."""

import re
from typing import NamedTuple

__all__ = ["BadOrderError", "Opening", "Order", "read_order"]

_OPENING = re.compile(r"open ([a-z]{1,12})")
_ORDER = re.compile(r"([a-z]{1,12}): ([1-9][0-9]{0,3}) loa(?:f|ves)")


class BadOrderError(ValueError):
    """A body that says nothing; the message tells why."""


class Opening(NamedTuple):
    """A customer gets an account; who has one keeps it."""

    customer: str


class Order(NamedTuple):
    """So many loaves for a customer's account."""

    customer: str
    loaves: int


def read_order(body: str) -> Opening | Order:
    """What a body says. Raises: BadOrderError."""
    if match := _OPENING.fullmatch(body):
        return Opening(match[1])
    if match := _ORDER.fullmatch(body):
        return Order(match[1], int(match[2]))
    raise BadOrderError(f"neither an order nor an opening: {body[:40]!r}")
