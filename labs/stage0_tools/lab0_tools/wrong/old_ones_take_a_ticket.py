"""Whatever is not the newest request is taken for a new one: a late copy takes a ticket."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def take(self, caller: str, number: int) -> int | None:
        if number < self.answers.get(caller, (0, None))[0]:
            return self.tear_off()
        return super().take(caller, number)
