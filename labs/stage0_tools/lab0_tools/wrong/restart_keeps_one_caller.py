"""After a restart only the last caller of the list is known: each one overwrites the one before."""

from typing import Any, Self

from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine as Reference

__all__ = ["TicketMachine"]


class TicketMachine(Reference):
    """See above."""

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        made = super().from_plain(plain)
        made.answers = dict(list(made.answers.items())[-1:])
        return made
