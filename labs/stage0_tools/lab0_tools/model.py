"""What a ticket machine must answer, written down another way; and the one with the mistake that the lab is about."""

from typing import Any

__all__ = ["Book", "Forgetful"]


class Book:
    """Each request that ever got its answer. It is asked what the next one must get."""

    def __init__(self, tickets: int) -> None:
        self.tickets = tickets
        self.given: dict[tuple[str, int], int | None] = {}

    @property
    def sold(self) -> int:
        """So many tickets are gone."""
        return sum(ticket is not None for ticket in self.given.values())

    def newest(self, caller: str) -> int:
        """The highest number that a caller's requests came with."""
        return max((number for who, number in self.given if who == caller), default=0)

    def wanted(self, caller: str, number: int) -> tuple[int, int | None]:
        """By which rule, and what."""
        if (caller, number) in self.given:
            return (2, self.given[caller, number]) if number == self.newest(caller) else (3, None)
        return (1, self.sold + 1) if self.sold < self.tickets else (4, None)

    def note(self, caller: str, number: int, ticket: int | None) -> None:
        """It got that. What came before stays."""
        self.given.setdefault((caller, number), ticket)


class Forgetful:
    """Who comes last is remembered, and nobody else."""

    def __init__(self, tickets: int) -> None:
        self.roll = list(range(1, tickets + 1))
        self.last: tuple[str, int, int | None] = ("", 0, None)

    def take(self, caller: str, number: int) -> int | None:
        who, known, ticket = self.last
        if who == caller and number <= known:
            return ticket if number == known else None
        ticket = self.roll.pop(0) if self.roll else None
        self.last = (caller, number, ticket)
        return ticket

    def left(self) -> int:
        return len(self.roll)

    def to_plain(self) -> list[Any]:
        return [self.roll, list(self.last)]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Forgetful":
        made = cls(0)
        made.roll, (who, known, ticket) = list(plain[0]), plain[1]
        made.last = (who, known, ticket)
        return made
