"""For notebooks: `check("lab1a")` and `replay("lab1a:2.1:8142")` show what the command line says, with pictures."""

from dataclasses import dataclass
from pathlib import Path

from labs.grader.grading import grade_of
from labs.grader.lab import find_lab
from labs.grader.page import page_of
from labs.grader.replay import replayed
from labs.grader.report import failure_lines
from labs.grader.result import Grade
from labs.grader.seeds import Seeds
from labs.grader.submission import read_submission

__all__ = ["Shown", "check", "replay"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A grade that a notebook shows as a page, and a terminal as text."""

    grade: Grade

    def _repr_html_(self) -> str:
        return page_of(self.grade)

    def __repr__(self) -> str:
        first = self.grade.first_failure
        return "\n".join(failure_lines(first)) if first is not None else f"{self.grade.lab}: passed"


def check(lab: str, path: str | Path | None = None) -> Shown:
    """All tests with public seeds. path: the work; `work/LAB` from here, if it is not given."""
    found = find_lab(lab)
    submission = read_submission(Path(path or Path("work") / found.id), found.organ_file, found.texts)
    return Shown(grade_of(found, submission, Seeds()))


def replay(token: str, path: str | Path | None = None) -> Shown:
    """One case again, by the word that a failure ends with."""
    found = find_lab(token.partition(":")[0])
    submission = read_submission(Path(path or Path("work") / found.id), found.organ_file, found.texts)
    outcome, _ = replayed(found, token, submission)
    return Shown(Grade(found.id, found.title, "replay", (outcome,), reason="one case alone", points_max=outcome.points_max))
