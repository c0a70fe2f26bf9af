"""Tickets are counted as programmers count: 0, 1, 2."""

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    def tear_off(self) -> int | None:
        ticket = super().tear_off()
        return None if ticket is None else ticket - 1
