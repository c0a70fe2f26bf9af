"""What a grade came to. One value, written as a table, a page, and files for other systems."""

from dataclasses import dataclass

from labs.grader.figure import Figure
from mq.sim.disk import SimDisk

__all__ = ["CHECKED", "Failure", "Grade", "Outcome"]

CHECKED = "one failure of a check"
"""Why there is no mark where a student looked how far the work is."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test failed. promise: what is broken, in one sentence. expected, found: the two facts that conflict.

    section: where to read. story: the shortest run that was found, one line each. disks: (heading, disk) to be drawn.
    figure: another picture. is_gone: whether the student's process ended or hung over it.
    """

    promise: str
    expected: str = ""
    found: str = ""
    section: str = ""
    story: tuple[str, ...] = ()
    disks: tuple[tuple[str, SimDisk], ...] = ()
    is_gone: bool = False
    figure: Figure | None = None

    @property
    def is_pictured(self) -> bool:
        """Whether a page shows more than a terminal."""
        return bool(self.disks or (self.figure is not None and self.figure.lines()))

    @property
    def sentence(self) -> str:
        """All in one line."""
        facts = (
            f": {self.expected}, but {self.found}" if self.expected and self.found else f": {self.found}" if self.found else ""
        )
        return self.promise + facts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test. schedules: cases that were run; seed: of the one that failed; replay: the word that repeats it."""

    number: str
    name: str
    points_max: int
    is_passed: bool = False
    failure: Failure | None = None
    schedules: int = 0
    seconds: float = 0.0
    seed: str = ""
    replay: str = ""

    @property
    def points(self) -> int:
        """All or nothing."""
        return self.points_max if self.is_passed else 0

    @property
    def message(self) -> str:
        """Why it failed, in one line; empty when it passed."""
        return "" if self.is_passed else self.failure.sentence if self.failure is not None else "did not finish"


@dataclass(frozen=True, slots=True)
class Grade:
    """Of one submission. reason: why there is no mark; a grade that was never finished has one, and 0 points."""

    lab: str
    title: str
    mode: str
    outcomes: tuple[Outcome, ...] = ()
    reason: str = "did not finish"
    mark: str = ""
    seconds: float = 0.0
    printed: str = ""
    points_max: int = 0

    @property
    def points(self) -> int:
        """The sum so far, whether or not it counts."""
        return sum(outcome.points for outcome in self.outcomes)

    @property
    def score(self) -> int:
        """The points; 0 as long as there is a reason why not."""
        return 0 if self.reason else self.points

    @property
    def max_score(self) -> int:
        """What could be had."""
        return self.points_max or sum(outcome.points_max for outcome in self.outcomes)

    @property
    def first_failure(self) -> Outcome | None:
        """What to mend first."""
        return next((outcome for outcome in self.outcomes if not outcome.is_passed), None)
