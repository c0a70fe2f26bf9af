"""What the grader asks of a ticket machine."""

from typing import Any, Protocol, Self

__all__ = ["Machine"]


class Machine(Protocol):
    """See `TicketMachine`, which is to be written. It is made with the number of tickets on its roll."""

    def take(self, caller: str, number: int) -> int | None:
        """A ticket for somebody's request of that number; None when there is none for it."""

    def left(self) -> int:
        """How many tickets are still on the roll."""

    def to_plain(self) -> Any:
        """All that it has to know after a restart: numbers, texts, lists of such."""

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """A machine that goes on where another one stopped."""
