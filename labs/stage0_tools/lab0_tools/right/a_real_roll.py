"""The roll is a row of tickets from which the first is taken, and each caller has a record of its own."""

from collections import deque
from dataclasses import dataclass

__all__ = ["TicketMachine"]


@dataclass(slots=True)
class _Caller:
    """newest: the number of the newest request; ticket: what it got, 0 for nothing."""

    newest: int = 0
    ticket: int = 0


class TicketMachine:
    """See above."""

    def __init__(self, tickets: int) -> None:
        self._roll = deque(range(1, tickets + 1))
        self._callers: dict[str, _Caller] = {}

    def take(self, caller: str, number: int) -> int | None:
        record = self._callers.setdefault(caller, _Caller())
        if number > record.newest:
            record.newest, record.ticket = number, self._roll.popleft() if self._roll else 0
        return (record.ticket or None) if number == record.newest else None

    def left(self) -> int:
        return len(self._roll)

    def to_plain(self) -> tuple[tuple[int, ...], tuple[tuple[str, int, int], ...]]:
        return tuple(self._roll), tuple((name, one.newest, one.ticket) for name, one in self._callers.items())

    @classmethod
    def from_plain(cls, plain: tuple[list[int], list[tuple[str, int, int]]]) -> "TicketMachine":
        made = cls(0)
        made._roll.extend(plain[0])
        made._callers = {name: _Caller(newest, ticket) for name, newest, ticket in plain[1]}
        return made
