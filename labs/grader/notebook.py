"""For notebooks: `check("lab1a")` and `replay("lab1a:2.1:8142")` do what `mq lab` does, and show it with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.cell import cell_of
from labs.grader.figure import Figure
from labs.grader.grading import grade_of, until_it_fails
from labs.grader.lab import Lab, find_lab
from labs.grader.replay import replayed, replayed_grade, with_prints_of
from labs.grader.report import failure_lines, printed_lines
from labs.grader.result import Grade
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission, SubmissionError, found_submission

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
        told = failure_lines(first, self.grade.path) if first is not None else [f"{self.grade.lab}: passed"]
        return "\n".join((*told, *printed_lines(self.grade.printed, self.grade.printed_in)))


def check(lab: str, path: str | Path | None = None) -> Shown:
    """Tests up to where the work fails, with public seeds. path: the work; see `_submission`. Raises: SubmissionError."""
    found = find_lab(lab)
    submission = _submission(found, path)
    grade = grade_of(found, submission, Seeds(), tell=until_it_fails(found), path=_path_told(found, path))
    first = grade.first_failure
    return Shown(grade if first is None else with_prints_of(found, submission, grade, first))


def replay(token: str, path: str | Path | None = None) -> Shown:
    """One case again, by the word that a failure ends with. Raises: SubmissionError, ReplayError."""
    found = find_lab(token.partition(":")[0])
    outcome, run = replayed(found, token, _submission(found, path))
    return Shown(replayed_grade(found, outcome, run, _path_told(found, path)), run.story, run.figure)


def _own(lab: Lab) -> Path:
    """`work/LAB`: from the notebook's folder, and if it is not there, of this repository."""
    here = Path("work") / lab.id
    return here if here.is_dir() else ROOT / here


def _path_told(lab: Lab, path: str | Path | None) -> str:
    """What stands behind the word that repeats a failure: nothing for one's own work."""
    return "" if path is None or Path(path).resolve() == _own(lab).resolve() else str(path)


def _submission(lab: Lab, path: str | Path | None) -> Submission:
    """Without a path one's own work."""
    where = Path(path) if path is not None else _own(lab)
    if path is None and not where.is_dir():
        raise SubmissionError(f"there is no {where} yet: mq lab start {lab.short}")
    return found_submission(where, lab.organ_file, lab.texts)
