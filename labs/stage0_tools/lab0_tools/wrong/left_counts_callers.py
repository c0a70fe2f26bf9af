"""What is left is counted by callers: two tickets for one of them are one."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def left(self) -> int:
        return self.tickets - len(self.answers)
