"""What a consumer of orders promises, by number."""

from collections.abc import Mapping

from labs.grader.suite import PromiseBrokenError, rule
from labs.stage1_single_node.lab1d_idempotent_consumer.model import Effects

__all__ = ["broken", "rule", "shown", "shown_rows"]

_PROMISES = {
    1: "Each order has its effect exactly once",
    2: "An effect, and that it happened, are saved together",
    3: "A message is acknowledged when what it asks for is saved, and not before",
    4: "A consumer that begins anew knows what the rows say, all of it",
    5: "A copy is known by its key, whatever its message id, its attempt and its turn",
    6: "A message is set aside when its key belongs to another order, which is settled",
    7: "What nobody can read is set aside at once, and holds up nothing",
    8: "What cannot be done yet is given back, and set aside with the last attempt",
    9: "What is settled is remembered for as long as a copy can come, and not for ever",
}
_CHARS_MAX = 60


def broken(number: int, *, expected: str, found: str) -> PromiseBrokenError:
    """A rule does not hold."""
    return PromiseBrokenError(_PROMISES[number], expected=expected, found=found, section=rule(number))


def shown(effects: Effects) -> str:
    """For people."""
    accounts = ", ".join(f"{customer} {loaves}" for customer, loaves in effects.accounts) or "no accounts"
    aside = f", set aside {', '.join(effects.aside)}" if effects.aside else ""
    return f"{accounts}, total {effects.total}{aside}"


def shown_rows(rows: Mapping[str, str | None]) -> str:
    """Rows of a `Save`."""
    parts = [f"{name} = {value}" if value is not None else f"{name} removed" for name, value in rows.items()]
    return ", ".join(part if len(part) <= _CHARS_MAX else part[: _CHARS_MAX - 1] + "…" for part in parts) or "nothing"
