"""Of which code a lab's tables are: `KILLS.md`, `FALSE_FAILS.md` and `NIGHTS.md`.

    .venv/bin/python -m tools.lab_marks                  all labs
    .venv/bin/python -m tools.lab_marks lab1a lab1b      these

Each table that is made says its code's mark: eight digits of the lab's folder and of the reference. A commit alone would not do:
it may be of another history, and says nothing of what was changed and not committed. Tables that were made before there were
marks say a commit alone: nobody can tell what they are of without having it. Always ends with 0: old tables are no fault.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.lab import Lab, every_lab, find_lab
from tools.lab_kills import solutions
from tools.said_by_git import commit

__all__ = ["NO_TABLE", "OF_OTHER_CODE", "OF_THIS_CODE", "TABLES", "UNMARKED", "mark_of", "stamp", "stamped", "state_of"]

TABLES = ("KILLS.md", "FALSE_FAILS.md", "NIGHTS.md")
OF_THIS_CODE, OF_OTHER_CODE, NO_TABLE, UNMARKED = "of this code", "of other code", "no table", "unmarked"
"""States of a table. The last: it is there, and older than marks are."""
_PATTERNS = ("*.py", "*.txt", "lab.toml")
_STAMP = re.compile(r"\(code ([0-9a-f]{8})\)")
_IN_PARTS = "in parts of other code"
_HEAD_LINES = 8


def _files_of(lab: Lab) -> list[Path]:
    """Texts are solutions, too. Solutions may lie beside the labs, where several have them."""
    own = {file for pattern in _PATTERNS for file in lab.folder.rglob(pattern) if "__pycache__" not in file.parts}
    judged = {file for kind in ("wrong", "right") for file in solutions(lab, kind)}
    return sorted(own | judged | {ROOT / source for source in lab.sources})


def mark_of(lab: Lab) -> str:
    """Eight digits over the lab's folder (Python, texts, lab.toml), its solutions, and the reference. READMEs do not count."""
    digest = hashlib.sha256()
    for file in _files_of(lab):
        data = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{file.relative_to(ROOT).as_posix()}:{len(data)}:".encode() + data)
    return digest.hexdigest()[:8]


def stamp(lab: Lab, *others: str) -> str:
    """What a table says of its code: the commit, and the mark of what is here now.

    others: marks of what it was begun with, or of what was found before and is in the table as well. When one of them is another
    one, or empty, the table is of no one code, and says that.
    """
    mark = mark_of(lab)
    return f"{commit()} (code {mark})" if {*others} <= {mark} else f"{commit()} ({_IN_PARTS})"


def stamped(table: str) -> str:
    """The mark that a table says; empty when it says none."""
    found = _STAMP.search("\n".join(table.split("\n")[:_HEAD_LINES]))
    return found[1] if found else ""


def state_of(lab: Lab, name: str) -> str:
    """Of one table by its file's name, one of the words above."""
    file = lab.folder / name
    if not file.exists():
        return NO_TABLE
    text = file.read_text(encoding="utf-8")
    if mark := stamped(text):
        return OF_THIS_CODE if mark == mark_of(lab) else OF_OTHER_CODE
    return OF_OTHER_CODE if _IN_PARTS in text else UNMARKED


def _lines(labs: Sequence[Lab]) -> Iterator[str]:
    for lab in labs:
        told = "; ".join(f"{name} {state_of(lab, name)}" for name in TABLES)
        yield f"{lab.short}  {mark_of(lab)}  {told}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each lab: its mark, and the state of each table."""
    parser = argparse.ArgumentParser(prog="python -m tools.lab_marks", description="Of which code each lab's tables are.")
    parser.add_argument("labs", nargs="*", help="these alone")
    options = parser.parse_args(arguments)
    for line in _lines([find_lab(name) for name in options.labs] or every_lab()):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
