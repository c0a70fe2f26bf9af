"""What runs in Gradescope's container for each submission: `run_autograder` of the zip file starts it.

    ROOT/source        what `mq lab zip` packed: this program, the lab with its reference, the course's key
    ROOT/submission    what was handed in
    ROOT/results       results.json goes there; it says "0, did not finish" until all is done

ROOT is /autograder. It needs Python's own library and nothing else, and fetches nothing.
"""

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from labs.grader.grading import PRACTICE, grade_of, in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.other_user import OtherUserProcess, as_another_user, can_change_user
from labs.grader.result import NOT_GRADED, Grade
from labs.grader.seeds import Seeds
from labs.grader.submission import SubmissionError, place_of, read_submission

__all__ = ["KEY_FILE", "LAB_FILE", "ROOT_THERE", "main"]

ROOT_THERE = Path("/autograder")
LAB_FILE, KEY_FILE = "lab.txt", "course_key"
_OPEN_TO_ALL = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/lock")  # noqa: S108 - they are shut, not used


def _shut(root: Path) -> None:
    """What the other user must not see, and where it must not write. In their container alone: it is thrown away afterwards."""
    for name in ("source", "submission", "results"):
        (root / name).chmod(0o700)
    if root == ROOT_THERE:
        for place in map(Path, _OPEN_TO_ALL):
            with contextlib.suppress(OSError):
                place.chmod(0o755)


def _grade(root: Path, lab: Lab) -> Grade:
    results = root / "results"
    try:
        where = place_of(root / "submission", lab.organ_file)
        zips = sorted(where.glob("*.zip"))
        is_packed = not (where / lab.organ_file).exists() and len(zips) == 1
        submission = read_submission(zips[0] if is_packed else where, lab.organ_file, lab.texts)
    except SubmissionError as error:
        return Grade(lab.id, lab.title, NOT_GRADED, reason=str(error).replace(f"{root}/", ""), points_max=_points(lab))
    key = (root / "source" / KEY_FILE).read_bytes().strip()
    start, mode = (as_another_user(), OtherUserProcess.mode) if can_change_user() else (in_a_process(), PRACTICE)
    return grade_of(lab, submission, Seeds(key, submission.mark), folder=results, start=start, mode=mode)


def _points(lab: Lab) -> int:
    return sum(check.points for check in lab.suite.checks)


def main(arguments: Sequence[str]) -> int:
    """Grade what was handed in. Returns 0 when there is a result, whatever the mark."""
    from labs.grader.files import write_files  # noqa: PLC0415 - below what says that it did not finish

    root = Path(arguments[0]) if arguments else ROOT_THERE
    lab = find_lab((root / "source" / LAB_FILE).read_text(encoding="utf-8").strip())
    (root / "results").mkdir(exist_ok=True)
    write_files(root / "results", Grade(lab.id, lab.title, NOT_GRADED, points_max=_points(lab)))
    if can_change_user():
        _shut(root)
    grade = _grade(root, lab)
    write_files(root / "results", grade)
    (root / "results" / "results.json").chmod(0o644)
    sys.stdout.write(json.dumps({"score": grade.score, "of": grade.max_score, "reason": grade.reason}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
