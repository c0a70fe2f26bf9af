"""A request is known by its number, whoever asks: Ben's first one gets Anna's ticket."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def take(self, caller: str, number: int) -> int | None:
        del caller
        return super().take("", number)
