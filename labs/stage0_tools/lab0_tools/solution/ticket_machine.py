"""The ticket machine at the door of a bakery: whoever comes takes a number.

People ask for their ticket over a network. It loses messages: then the one who asked gets no answer, cannot know why, and asks
again. So each request has a number (a caller's first is 1, then 2, ...), and a request that comes again has the same one. Now and
then the machine loses its power; before that happens it was always asked for `to_plain`, and afterwards a new one is made of it.
"""

from typing import Any, Self

__all__ = ["TicketMachine"]


class TicketMachine:
    """Gives out the tickets 1, 2, 3, ... of one roll.

    tickets: how many there are on the roll. next_ticket: the one that is torn off next. answers: for each caller the number of
    its newest request, and which ticket it got (None: there was none left).
    """

    def __init__(self, tickets: int) -> None:
        self.tickets = tickets
        self.next_ticket = 1
        self.answers: dict[str, tuple[int, int | None]] = {}

    def take(self, caller: str, number: int) -> int | None:
        """The ticket for a request. The same request gets the same one, however often it comes; an old one gets None."""
        newest, ticket = self.answers.get(caller, (0, None))
        if number == newest:
            return ticket
        if number < newest:
            return None
        ticket = self.tear_off()
        self.remember(caller, number, ticket)
        return ticket

    def tear_off(self) -> int | None:
        """The next ticket of the roll, which is gone then; None when the roll is used up."""
        if self.next_ticket > self.tickets:
            return None
        ticket = self.next_ticket
        self.next_ticket += 1
        return ticket

    def remember(self, caller: str, number: int, ticket: int | None) -> None:
        """This is what the caller's newest request got: should it come again, it gets the same."""
        self.answers[caller] = (number, ticket)

    def left(self) -> int:
        """How many tickets are still on the roll."""
        return self.tickets - self.next_ticket + 1

    def to_plain(self) -> list[Any]:
        """All that it has to know after a restart, as a list that can be written down."""
        answers = [[caller, number, ticket] for caller, (number, ticket) in sorted(self.answers.items())]
        return [self.tickets, self.next_ticket, answers]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        """A machine that goes on where the one stopped that `plain` is of."""
        tickets, next_ticket, answers = plain
        machine = cls(tickets)
        machine.next_ticket = next_ticket
        machine.answers = {caller: (number, ticket) for caller, number, ticket in answers}
        return machine
