"""The last ticket of the roll is never given: `>=` for `>`."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def tear_off(self) -> int | None:
        return None if self.next_ticket >= self.tickets else super().tear_off()
