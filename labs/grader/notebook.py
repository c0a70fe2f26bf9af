"""For notebooks: `check("lab1a")` and `replay("lab1a:2.1:8142")` do what `mq lab` does, and show it with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.cell import REPLAY, cell_of
from labs.grader.figure import Figure
from labs.grader.grading import grade_of, until_it_fails
from labs.grader.lab import Lab, find_lab
from labs.grader.replay import replayed
from labs.grader.report import failure_lines
from labs.grader.result import Grade
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission, SubmissionError, read_submission

__all__ = ["Shown", "check", "replay"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A grade that a notebook shows with pictures, and a terminal as text. story, figure: of a replay that passed."""

    grade: Grade
    story: Sequence[str] = ()
    figure: Figure | None = None

    def _repr_html_(self) -> str:
        return cell_of(self.grade, self.story, self.figure)

    def __repr__(self) -> str:
        first = self.grade.first_failure
        return "\n".join(failure_lines(first)) if first is not None else f"{self.grade.lab}: passed"


def check(lab: str, path: str | Path | None = None) -> Shown:
    """Tests up to where the work fails, with public seeds. path: the work; see `_submission`. Raises: SubmissionError."""
    found = find_lab(lab)
    return Shown(grade_of(found, _submission(found, path), Seeds(), tell=until_it_fails(found)))


def replay(token: str, path: str | Path | None = None) -> Shown:
    """One case again, by the word that a failure ends with. Raises: SubmissionError, ReplayError."""
    found = find_lab(token.partition(":")[0])
    outcome, run = replayed(found, token, _submission(found, path))
    grade = Grade(found.id, found.title, REPLAY, (outcome,), reason="one case alone", points_max=outcome.points_max)
    return Shown(grade, run.story, run.figure)


def _submission(lab: Lab, path: str | Path | None) -> Submission:
    """Without a path `work/LAB`: from the notebook's folder, and if it is not there, of this repository."""
    here = Path("work") / lab.id
    where = Path(path) if path is not None else here if here.is_dir() else ROOT / here
    if path is None and not where.is_dir():
        raise SubmissionError(f"there is no {where} yet: mq lab start {lab.short}")
    return read_submission(where, lab.organ_file, lab.texts)
