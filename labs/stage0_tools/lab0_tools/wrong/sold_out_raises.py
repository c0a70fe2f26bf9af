"""Who comes when the roll is used up brings the machine down: nobody looked whether there is a ticket."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def tear_off(self) -> int | None:
        ticket = range(1, self.tickets + 1)[self.next_ticket - 1]
        self.next_ticket += 1
        return ticket
