"""Where a student's work lies, and what came of it: in the folder of the course, also when one is further down in there."""

import os
from pathlib import Path

from labs.grader.lab import Lab

__all__ = ["course_above", "path_told", "results_folder", "results_of", "work_folder"]

_COURSE = "course.toml"
"""Lies in the folder of the course."""


def course_above() -> Path | None:
    """The folder of the course, where it is one of those above this one. None: it is this one, or there is none."""
    here = Path.cwd()
    found = next((folder for folder in (here, *here.parents) if (folder / _COURSE).is_file()), here)
    return None if found == here else found


def work_folder() -> Path:
    """From here: a folder further down in the course has no work folder of its own."""
    course = course_above()
    return Path("work") if course is None else Path(os.path.relpath(course / "work"))


def results_folder() -> Path:
    """For what comes out."""
    return work_folder() / "results"


def results_of(lab: Lab, path: Path | None) -> Path:
    """Where a page about a submission lies: of what lies elsewhere not where one's own work has its page. None: one's own."""
    return results_folder() / lab.id if _is_own(lab, path) else results_folder() / "elsewhere" / lab.id


def path_told(lab: Lab, path: Path | None) -> str:
    """What must be said to have the same submission once more: nothing for one's own work."""
    return "" if _is_own(lab, path) else str(path)


def _is_own(lab: Lab, path: Path | None) -> bool:
    return path is None or path.resolve() == (work_folder() / lab.id).resolve()
