"""A test whose story does not need a method yet, and whose run came to it all the same: what is wrong was written before.

The table of a lab's README says with which method each test begins to pass; the tests of the labs hold it to that.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from labs.grader.lab import Lab
from labs.grader.result import NOT_WRITTEN, Failure
from labs.grader.suite import Run

__all__ = ["out_of_turn"]

_ROW = re.compile(r"\| (?P<row>\d+) \| `(?P<method>[\w.]+)` \| (?P<tests>[^|]*)\|")
_TESTS = re.compile(r"(\d+)\.(\d+)(?: to (\d+)\.(\d+))?")
_MISSING = re.compile(r"`([\w.]+)`" + NOT_WRITTEN)


def out_of_turn(failure: Failure | None, lab: Lab, number: str, run: Run) -> Failure | None:
    """The failure; when it is about a method that is not written, of which test `number` has no need, it says where to look."""
    missing = _MISSING.match(failure.promise) if failure is not None else None
    if failure is None or missing is None:
        return failure
    rows, methods = _rows_of(lab.folder / "README.md")
    row, later = rows.get(number), methods.get(missing[1])
    if row is None or later is None or later <= row:
        return failure
    before = "row 1 is" if row == 1 else f"rows 1 to {row} are"
    return replace(
        failure,
        promise=f"The story of this test does not come to `{missing[1]}`",
        expected=f"what {before} about is enough for it (the README's table); see there, or in what calls the later method",
        found=f"your code came to the method of row {later}, so something before it goes the wrong way",
        section="README, the table of methods",
        figure=run.figure,
    )


@lru_cache(maxsize=32)
def _rows_of(readme: Path) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """By the number of a test, and by the name of a method: its row."""
    rows, methods = dict[str, int](), dict[str, int]()
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    for match in _ROW.finditer(text):
        row = int(match["row"])
        methods[match["method"]] = row
        rows.update(dict.fromkeys(_numbers(match["tests"]), row))
    return rows, methods


def _numbers(tests: str) -> Iterator[str]:
    for ring, first, _, last in _TESTS.findall(tests):
        for at in range(int(first), int(last or first) + 1):
            yield f"{ring}.{at}"
