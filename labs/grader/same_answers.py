"""How it is told that two runs of one schedule did not leave the same answers."""

from collections.abc import Sequence

from labs.grader.harmless import harmless
from labs.grader.remote import Answered
from labs.grader.result import Failure
from labs.grader.suite import Run

__all__ = ["SAME_ANSWERS", "SAME_END", "how_they_differ", "not_the_same"]

SAME_END = "The same schedule always comes to the same end"
SAME_ANSWERS = 'README, "The same answers"'
"""Where every lab says that what it asks for is deterministic."""
_AROUND_CHARS = 30
"""So much is shown on both sides of the place where two answers begin to differ."""


def not_the_same(expected: str, found: str, run: Run) -> Failure:
    """What a second run did that the first one did not. run: whose story is told."""
    return Failure(SAME_END, expected, harmless(found), SAME_ANSWERS, tuple(map(harmless, run.story)))


def how_they_differ(first: Sequence[Answered], second: Sequence[Answered], run: Run) -> Failure | None:
    """All that two runs were answered; None when it is the same. run: the first."""
    if second == first:
        return None
    pairs = list(zip(first, second, strict=False))
    at = next((number for number, (here, there) in enumerate(pairs) if here != there), len(pairs))
    name = first[at].name if at < len(first) else "the end"
    shown = _difference(*pairs[at]) if at < len(pairs) else ""
    return not_the_same("two runs give the same answers", f"not deterministic at event {at + 1}, `{name}`{shown}", run)


def _difference(here: Answered, there: Answered) -> str:
    """Both answers, as they crossed, around the place where they begin to differ; empty when that is too far behind."""
    one, other = (answer.beginning.decode("utf-8", "replace") for answer in (here, there))
    if one == other or here.name != there.name:
        return ""
    at = next((at for at, (mine, its) in enumerate(zip(one, other, strict=False)) if mine != its), min(len(one), len(other)))
    cuts = [text[max(0, at - _AROUND_CHARS) : at + _AROUND_CHARS] for text in (one, other)]
    return f": …{cuts[0]}… the first time, …{cuts[1]}… the second time"
