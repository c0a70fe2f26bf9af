"""One submission of a class, graded by a process of its own: its memory is given back, and its end is no one else's.

    python -m labs.grader.one           one line of JSON on standard input: lab, path, out, key, is_container

What came of it is one line of JSON on standard output, as `labs.grader.files.as_data` has it. It ends when its standard input
does, and ends its workers first: so nothing of it outlives who started it.
"""

import json
import os
import sys
import threading
from pathlib import Path

from labs.grader.files import as_data
from labs.grader.grading import grade_of, how_to_run
from labs.grader.lab import find_lab
from labs.grader.process import kill_all_for_good
from labs.grader.seeds import Seeds
from labs.grader.submission import place_of, read_submission

__all__ = ["ORPHANED", "main"]

ORPHANED = 9


def _watch() -> None:
    """Who started us is gone, or wants us to go. A worker that hangs does not see its pipes end: it is killed."""
    try:
        sys.stdin.read()
        kill_all_for_good()
    finally:
        os._exit(ORPHANED)


def main() -> int:
    """Returns 0 when there is a result, whatever the mark."""
    wanted = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch, name="whether anybody waits", daemon=True).start()
    lab = find_lab(wanted["lab"])
    submission = read_submission(place_of(Path(wanted["path"]), lab.organ_file), lab.organ_file, lab.texts)
    start, mode = how_to_run(lab, is_container=wanted["is_container"])
    seeds = Seeds(wanted["key"].encode(), submission.mark)
    try:
        grade = grade_of(lab, submission, seeds, folder=Path(wanted["out"]), start=start, mode=mode)
    finally:  # Ctrl-C comes at any moment, also while a worker is being ended
        kill_all_for_good()
    sys.stdout.write(json.dumps(as_data(grade)) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
