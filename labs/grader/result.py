"""What a grade came to. One value, written as a table, a page, and files for other systems."""

import shlex
from dataclasses import dataclass

from labs.grader.figure import Figure
from mq.sim.disk import SimDisk

__all__ = [
    "CHECKED", "CHECKED_ALL", "IMPORTED", "NOT_GRADED", "NOT_IMPORTED", "NOT_WRITTEN", "REPLAY", "Failure", "Grade", "Outcome",
]  # fmt: skip

CHECKED = "one failure of a check"
"""Why there is no mark where a student looked how far the work is."""
CHECKED_ALL = "all failures of a check"
"""The same, where all tests were run."""
IMPORTED = "from labs.grader.notebook import replay"
NOT_GRADED = "not graded"
"""The mode of a grade that is none: what was handed in ran nowhere, or nothing is known of it."""
NOT_IMPORTED = "Your files cannot be imported"
NOT_WRITTEN = " is not written yet"
REPLAY = "replay"
"""The mode of a grade that is one case alone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test failed. promise: what is broken, in one sentence. expected, found: the two facts that conflict.

    section: where to read. story: the shortest run that was found, one line each. disks: (heading, disk) to be drawn.
    figure: another picture. is_gone: whether the student's process ended or hung over it, or its memory ran out. code: a line of
    the student's that Python cannot read, and a sign below the place in it. are_facts: both facts were found, none was expected.
    """

    promise: str
    expected: str = ""
    found: str = ""
    section: str = ""
    story: tuple[str, ...] = ()
    disks: tuple[tuple[str, SimDisk], ...] = ()
    is_gone: bool = False
    figure: Figure | None = None
    code: str = ""
    are_facts: bool = False

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The two facts that conflict, each with its name."""
        names = ("fact 1", "fact 2") if self.are_facts else ("expected", "found")
        return tuple((name, text) for name, text in zip(names, (self.expected, self.found), strict=True) if text)

    @property
    def is_of_all(self) -> bool:
        """Whether all tests fail for it, whatever they ask for."""
        return self.promise == NOT_IMPORTED

    @property
    def is_lack(self) -> bool:
        """Whether it says no more than that something is not written yet."""
        return NOT_WRITTEN in self.promise

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

    def again(self, path: str = "") -> str:
        """The command that repeats a failure; empty where there is no word for it. path: see `Grade`."""
        if not self.replay:
            return ""
        return f"mq lab replay {self.replay}" + (f" {shlex.quote(path)}" if path else "")

    def call(self, path: str = "") -> str:
        """What repeats it in a notebook, behind `IMPORTED`; empty as `again` is."""
        return f'replay("{self.replay}"{f", {path!r}" if path else ""})' if self.replay else ""

    @property
    def message(self) -> str:
        """Why it failed, in one line; empty when it passed."""
        return "" if self.is_passed else self.failure.sentence if self.failure is not None else "did not finish"


@dataclass(frozen=True, slots=True)
class Grade:
    """Of one submission. reason: why there is no mark; a grade that was never finished has one, and 0 points.

    path: where the submission lies, if it is not one's own work: it stands behind the word that repeats a failure.
    printed: by the student's code; printed_in: number of the test that it is of, empty for all that were run.
    """

    lab: str
    title: str
    mode: str
    outcomes: tuple[Outcome, ...] = ()
    reason: str = "did not finish"
    mark: str = ""
    seconds: float = 0.0
    printed: str = ""
    points_max: int = 0
    path: str = ""
    printed_in: str = ""

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
        """What to mend first: what is wrong comes before what is not written yet, and might be taken for done."""
        failed = [outcome for outcome in self.outcomes if not outcome.is_passed]
        wrong = (outcome for outcome in failed if outcome.failure is None or not outcome.failure.is_lack)
        return next(wrong, failed[0] if failed else None)
