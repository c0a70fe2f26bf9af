"""What is known of a case, and of the cases of a test, when they were run."""

from collections import Counter
from typing import NamedTuple

from labs.grader.remote import Answered, Asked
from labs.grader.result import Failure, Outcome
from labs.grader.suite import Case, Check, Run

__all__ = ["Sampled", "Tried"]


class Tried(NamedTuple):
    """One case that was run. asked: what its answers are to; not all of it when that is too much to be kept."""

    failure: Failure | None
    run: Run
    record: list[Answered]
    asked: Asked = []  # noqa: RUF012 - nobody puts anything into it


class Sampled(NamedTuple):
    """A test whose cases were run, and what each of them met. failed: its outcome when one of them failed.

    seconds: so long it took, when none did.
    """

    check: Check
    failed: Outcome | None
    met: list[tuple[Case, Counter[str]]]
    seconds: float
