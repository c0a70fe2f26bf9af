"""The roll has one ticket more than there are: `>=` turned the wrong way round."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def tear_off(self) -> int | None:
        if self.next_ticket > self.tickets + 1:
            return None
        self.next_ticket += 1
        return self.next_ticket - 1
