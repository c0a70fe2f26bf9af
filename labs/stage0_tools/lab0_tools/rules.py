"""What a ticket machine promises, by number."""

from labs.grader.suite import PromiseBrokenError, rule

__all__ = ["broken", "rule", "shown"]

_PROMISES = {
    1: "A new request gets the next ticket of the roll: 1, 2, 3, and each of them once",
    2: "A request that comes again gets the ticket that it got before",
    3: "A request that is older than its caller's newest one gets nothing, and takes no ticket",
    4: "When the roll is used up there is nothing more",
    5: "After a restart the machine goes on where it stopped",
    6: "What is left on the roll is told as it is",
}


def broken(number: int, *, expected: str, found: str) -> PromiseBrokenError:
    """A rule does not hold."""
    return PromiseBrokenError(_PROMISES[number], expected=expected, found=found, section=rule(number))


def shown(ticket: int | None) -> str:
    """A ticket, for people."""
    return "no ticket" if ticket is None else f"ticket {ticket}"
