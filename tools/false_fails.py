"""Whether a lab's right solutions ever fail: each is graded again and again, with new secret seeds, as a student's is.

    .venv/bin/python -m tools.false_fails lab1a                 20 times each; prints the table, and writes FALSE_FAILS.md
    .venv/bin/python -m tools.false_fails lab1a --times 2       so many; writes nothing unless --out says where

Graded are the reference and all of `right/`, and with `--also FILE ...` these: whole solutions in one file, whatever its name
ends with, as those in tests/labs/from_the_texts. With `--resume FILE` it keeps what it has, and goes on where it was stopped.
Ends with 1 when a grade was less than full marks.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from labs.grader.grading import grade_of
from labs.grader.lab import Lab, find_lab
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of
from labs.grader.submission import Submission
from tools.lab_kills import handed_in, solutions
from tools.lab_marks import mark_of, stamp

__all__ = ["Graded", "graded", "main", "subjects", "table_of"]

_TIMES = 20
_REFERENCE = "the reference"
_MARK = "code"
"""In the file for `--resume`, beside the names of solutions."""


class Graded(NamedTuple):
    """One grade. failed: what did not pass, in a sentence each; load: of the machine, in the last minute."""

    score: int
    max_score: int
    seconds: float
    load: float
    failed: tuple[str, ...]


def subjects(lab: Lab, also: Sequence[Path] = ()) -> dict[str, Submission]:
    """What must get full marks, by name. Texts that are handed in besides are those of our solution. also: more of them."""
    made = {name: text.encode() for name, text in solution_of(lab).items() if name != "__init__.py"}
    texts = {name: made[name] for name in lab.texts}
    found = {_REFERENCE: Submission(made)}
    for file in solutions(lab, "right"):
        found[file.stem] = Submission({**texts, **handed_in(lab, file).files})
    for file in also:
        found[file.stem] = Submission({**texts, lab.organ_file: file.read_bytes()})
    return found


def graded(lab: Lab, name: str, submission: Submission, time_number: int) -> Graded:
    """Once, across the border, with a course's key of its own."""
    seeds = Seeds(f"false fails {time_number}".encode(), submission.mark)
    grade = grade_of(lab, submission, seeds, with_reference=name != _REFERENCE)
    failed = [f"{outcome.number}: {outcome.message}" for outcome in grade.outcomes if not outcome.is_passed]
    failed += [grade.reason] if grade.reason else []
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return Graded(grade.score, grade.max_score, grade.seconds, round(load, 1), tuple(failed))


def _kept(keep: Path | None) -> tuple[str, dict[str, list[list[object]]]]:
    """What is known already: the mark of the code that it is of (empty when that is not known), and the grades by name."""
    if keep is None or not keep.exists():
        return "", {}
    plain = json.loads(keep.read_text(encoding="utf-8"))
    return plain.pop(_MARK, ""), plain


def _all(lab: Lab, of: Mapping[str, Submission], times: int, keep: Path | None, mark: str) -> Iterator[tuple[str, Graded]]:
    _, known = _kept(keep)
    for number in range(times):
        for name, submission in of.items():
            had = known.setdefault(name, [])
            if number < len(had):
                score, max_score, seconds, load, failed = had[number]
                yield name, Graded(int(str(score)), int(str(max_score)), float(str(seconds)), float(str(load)), tuple(failed))  # type: ignore[arg-type]
                continue
            one = graded(lab, name, submission, number)
            had.append(list(one))
            if keep is not None:
                half = keep.with_suffix(".half")
                half.write_text(json.dumps({_MARK: mark, **known}) + "\n", encoding="utf-8")
                half.replace(keep)
            yield name, one


def table_of(lab: Lab, all_graded: dict[str, list[Graded]], *marks: str) -> str:
    """FALSE_FAILS.md. marks: of the code that the grades are of."""
    times = max((len(grades) for grades in all_graded.values()), default=0)
    machine = f"at {stamp(lab, *marks)}, Python {platform.python_version()}, {os.cpu_count()} processors"
    lines = [
        f"# {lab.spoken.capitalize()}: right solutions that fail",
        "",
        f"Made by `.venv/bin/python -m tools.false_fails {lab.short} --times {times}` {machine}.",
        "Each was graded as a student's is, across the border, each time with the seeds of another course's key. The load is",
        "that of the machine while it ran: how many processes wanted a processor.",
        "",
        "| right | graded | full marks | seconds | load | failed |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, grades in all_graded.items():
        full = sum(grade.score == grade.max_score for grade in grades)
        seconds, loads = [grade.seconds for grade in grades], [grade.load for grade in grades]
        why = "; ".join(sorted({why for grade in grades for why in grade.failed})) or "nothing"
        lines.append(
            f"| {name} | {len(grades)} | {full} | {min(seconds):.0f} to {max(seconds):.0f} "
            f"| {min(loads):.0f} to {max(loads):.0f} | {why} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade them all; returns 1 when one of them lost a point."""
    parser = argparse.ArgumentParser(prog="python -m tools.false_fails", description="Whether right solutions ever fail.")
    parser.add_argument("lab")
    parser.add_argument("--times", type=int, default=_TIMES)
    parser.add_argument("--resume", type=Path, help="a file for what is known already")
    parser.add_argument("--out", type=Path, help="where the table goes; that of 20 times goes into the lab's folder")
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="right solutions that lie elsewhere, each one file")
    options = parser.parse_args(arguments)
    lab = find_lab(options.lab)
    found: dict[str, list[Graded]] = {}
    begun = time.monotonic()
    now = mark_of(lab)
    had, known = _kept(options.resume)
    mark = now if not known or had == now else ""
    for name, one in _all(lab, subjects(lab, options.also), options.times, options.resume, mark):
        found.setdefault(name, []).append(one)
        said = f"{name:30} {one.score} of {one.max_score}  {one.seconds:.0f} s  load {one.load:.0f}  {'; '.join(one.failed)}"
        print(f"{time.monotonic() - begun:6.0f} s  {said}", flush=True)
    table = table_of(lab, found, mark)
    print(table)
    out = options.out or (lab.folder / "FALSE_FAILS.md" if options.times >= _TIMES else None)
    if out is not None:
        out.write_text(table, encoding="utf-8")
    return int(any(one.score < one.max_score for grades in found.values() for one in grades))


if __name__ == "__main__":
    sys.exit(main())
