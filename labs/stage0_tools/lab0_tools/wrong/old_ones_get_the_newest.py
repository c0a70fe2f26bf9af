"""A late copy is answered with the caller's newest ticket, which belongs to another request."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def take(self, caller: str, number: int) -> int | None:
        newest, ticket = self.answers.get(caller, (0, None))
        return ticket if 0 < number <= newest else super().take(caller, number)
