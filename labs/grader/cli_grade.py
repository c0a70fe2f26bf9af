"""`mq lab grade`: one submission, or a folder of them."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from labs.grader.alike_texts import TextPair
from labs.grader.class_run import ClassRun, Done, Entry, entries_in
from labs.grader.cli_class import key_of
from labs.grader.cli_help import GradeCommand
from labs.grader.cli_types import lab_argument
from labs.grader.files import as_data, note_progress
from labs.grader.grading import NoContainersError, grade_of, how_to_run
from labs.grader.harmless import harmless
from labs.grader.lab import Lab
from labs.grader.places import path_told, results_folder, results_of
from labs.grader.policy import NO_POLICY, Policy, PolicyError, read_policy
from labs.grader.report import closing_lines, failure_lines, outcome_line
from labs.grader.result import Outcome
from labs.grader.seeds import Seeds
from labs.grader.similarity import Pair
from labs.grader.submission import SubmissionError, found_submission
from mq.cli.output import note, print_json, print_line, print_table

__all__ = ["grade_command"]

_NOT_GRADED = 2
_STOPPED = 130
_NO_KEY = "There is no key: all students know the seeds. For marks give --key-file, or MQ_COURSE_KEY."


@click.command("grade", cls=GradeCommand)
@lab_argument
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--seed", type=int, help="Other seeds: a number in the place of the course's key.")
@click.option("--key-file", type=click.Path(path_type=Path), help="Holds the course's key. Else it is taken from MQ_COURSE_KEY.")
@click.option("--container", "is_container", is_flag=True, help="For marks: in a container. Else it is practice.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results. Else in work/results.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=max(1, (os.cpu_count() or 2) // 2), help="Of a class: so many at once."
)
@click.option("--again", "is_again", is_flag=True, help="Of a class: grade also what was graded before.")
@click.option("--policy", type=click.Path(path_type=Path), help="Of a class: due dates. Else class.toml in the folder, if there.")
@click.option("-o", "--output", type=click.Choice(["table", "json"], case_sensitive=False), default="table", show_default=True)
def grade_command(lab: Lab, path: Path, **options: Any) -> int:
    """Run every test with seeds of your course and of the submission, and give the mark.

    PATH is a submission: a folder, a zip or a Python file. Exit code 0: graded, whatever the mark. 2: not.
    """
    _check_out(options["out"])
    key = key_of(options["seed"], options["key_file"])
    if not key and options["is_container"]:
        note(_NO_KEY)
    start, mode = _start(lab, is_container=options["is_container"])
    if entries := entries_in(path, lab):
        out = options["out"] or results_folder() / f"{lab.id}_class"
        run = ClassRun(lab, out, key, options["jobs"], options["is_container"], options["is_again"])
        return _grade_class(run, entries, _policy(path, lab, options["policy"]), options["output"])
    return _grade_one(lab, path, key, options["out"] or results_of(lab, path), options["output"], (start, mode))


def _check_out(folder: Path | None) -> None:
    """Before anything is graded: it takes long. Raises: UsageError."""
    for each in () if folder is None else (folder, *folder.parents):
        if each.is_symlink() or each.exists():
            if not each.is_dir():
                raise click.UsageError(f"--out is for a folder, and {each} is none")
            return


def _start(lab: Lab, *, is_container: bool) -> tuple[Any, str]:
    try:
        return how_to_run(lab, is_container=is_container)
    except NoContainersError as error:
        raise click.UsageError(str(error)) from error


def _grade_one(lab: Lab, path: Path, key: str, folder: Path, output: str, how: tuple[Any, str]) -> int:
    try:
        submission = found_submission(path, lab.organ_file, lab.texts)
    except SubmissionError as error:
        raise click.UsageError(str(error)) from error

    def tell(outcome: Outcome) -> bool:
        if output == "table":
            print_line(outcome_line(outcome))
        return True

    start, mode = how
    seeds = Seeds(key.encode(), submission.mark)
    grade = grade_of(lab, submission, seeds, folder=folder, tell=tell, start=start, mode=mode, path=path_told(lab, path))
    if (own := results_of(lab, None)) == results_of(lab, path):
        note_progress(own, grade, "mq lab grade")
    if output == "json":
        print_json(as_data(grade))
    else:
        first = grade.first_failure
        lines = [
            *(failure_lines(first, grade.path) if first is not None else []),
            *closing_lines(grade),
            f"report: {folder / 'report.html'}",
        ]
        for line in lines:
            print_line(line)
    return _NOT_GRADED if grade.reason else 0


# --- a class


def _policy(folder: Path, lab: Lab, file: Path | None) -> Policy:
    found = file or folder / "class.toml"
    if file is None and not found.exists():
        return NO_POLICY
    try:
        return read_policy(found, lab.short)
    except PolicyError as error:
        raise click.UsageError(str(error)) from error


def _grade_class(run: ClassRun, entries: list[Entry], policy: Policy, output: str) -> int:
    from labs.grader.class_table import write_class  # noqa: PLC0415 - for a class only

    if not (run.key or run.is_container):
        note(_NO_KEY)
    if strangers := policy.strangers([entry.name for entry in entries]):
        note(f"The file with the due dates names {', '.join(map(harmless, strangers))}; nothing of that name was handed in.")
    try:
        with _progress(len(entries)) as tell:
            run.grade_all(entries, tell)
    except KeyboardInterrupt:
        note("Stopped. The same command goes on from here.")
        return _STOPPED
    rows, found = write_class(run, entries, policy)
    if output == "json":
        keys = ("name", "score", "max_score", "reason", "note", "seconds")
        marks = [
            {**{key: getattr(row, key) for key in keys}, "days_late": row.late.days, "mark": row.late.points} for row in rows
        ]
        kinds: dict[str, Sequence[Pair | TextPair]] = {"alike": found.code, "alike_texts": found.texts}
        alike = {
            kind: [{"one": pair.one, "other": pair.other, "share": round(pair.share, 3)} for pair in pairs]
            for kind, pairs in kinds.items()
        }
        print_json({"lab": run.lab.id, "submissions": marks, **alike})
    else:
        cells = [
            [harmless(row.name), "-" if row.score is None else str(row.score),
             "?" if row.late.days is None else str(row.late.days),
             "-" if row.score is None else f"{row.late.points:g}", harmless(row.why)]
            for row in rows
        ]  # fmt: skip
        print_table(["SUBMISSION", "SCORE", "DAYS LATE", "MARK", "WHY NOT"], cells)
        pairs = "1 pair is" if len(found) == 1 else f"{len(found) or 'no'} pairs are"
        print_line(f"\n{pairs} alike; table, pages and lines: {run.results / 'class.html'}")
    return _NOT_GRADED if any(row.score is None for row in rows) else 0


@contextmanager
def _progress(count: int) -> Iterator[Any]:
    """A bar where somebody looks; else a line for each."""
    if not sys.stderr.isatty():
        numbers = iter(range(1, count + 1))

        def tell_line(done: Done) -> None:
            note(f"{next(numbers)}/{count} {_said(done)}")

        yield tell_line
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=count)
        yield lambda done: bar.update(task, advance=1, description=_said(done))


def _said(done: Done) -> str:
    what = done.reason or f"{done.score} points"
    return harmless(f"{done.name}: {what}{'' if done.is_new else ' (graded before)'}")
