"""A list of all that was ever answered, searched from its end; what is left is counted."""

from typing import Any

__all__ = ["TicketMachine"]


class TicketMachine:
    """journal: (caller, number, ticket) of each request, the newest one last."""

    def __init__(self, tickets: int) -> None:
        self._tickets = tickets
        self._journal: list[tuple[str, int, int | None]] = []

    def take(self, caller: str, number: int) -> int | None:
        for who, known, ticket in reversed(self._journal):
            if who == caller and number <= known:
                return ticket if number == known else None
            if who == caller:
                break
        mine = self._tickets - self.left() + 1
        found = mine if mine <= self._tickets else None
        self._journal.append((caller, number, found))
        return found

    def left(self) -> int:
        return self._tickets - sum(ticket is not None for _, _, ticket in self._journal)

    def to_plain(self) -> dict[str, Any]:
        return {"tickets": self._tickets, "journal": [list(line) for line in self._journal]}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "TicketMachine":
        made = cls(plain["tickets"])
        made._journal = [(caller, number, ticket) for caller, number, ticket in plain["journal"]]
        return made
