"""A late copy takes the place of the newest request in the memory, and the newest one takes a ticket again."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def take(self, caller: str, number: int) -> int | None:
        ticket = super().take(caller, number)
        if number < self.answers[caller][0]:
            self.remember(caller, number, ticket)
        return ticket
