"""A caller gets one ticket, for ever: a new request of somebody who is known gets the old one."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def take(self, caller: str, number: int) -> int | None:
        if caller in self.answers:
            return self.answers[caller][1]
        return super().take(caller, number)
