"""`mq lab`: registered as a command of `mq` by entry point, since nothing in `mq` knows the labs."""

import textwrap
from dataclasses import replace
from pathlib import Path

import click

from labs.grader.cli_class import release_command, zip_command
from labs.grader.cli_grade import RESULTS, grade_command
from labs.grader.cli_help import CommandsOfLabs
from labs.grader.cli_types import lab_argument
from labs.grader.files import note_progress, write_files
from labs.grader.grading import grade_of, until_it_fails
from labs.grader.lab import Lab, LabError, all_labs, find_lab, is_for_students
from labs.grader.report import failure_lines, outcome_line, story_lines
from labs.grader.result import CHECKED, Grade, Outcome
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission, SubmissionError, read_submission
from mq.cli.output import note, print_json, print_line, print_table

__all__ = ["lab_command"]

_FAILED = 1
_WORK = Path("work")


_path = click.argument("path", type=click.Path(path_type=Path), required=False)
_output = click.option(
    "-o", "--output", type=click.Choice(["table", "json"], case_sensitive=False), default="table", show_default=True
)
_dir = click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=_WORK, show_default=True, help="Where your work lies."
)


@click.group("lab", cls=CommandsOfLabs)
def lab_command() -> None:
    """Start a lab, check your work, have it graded, repeat a failure.

    Your work lies in `work/`, one folder for each lab; it is never overwritten.
    """


@lab_command.command("list")
@_output
def _list(output: str) -> None:
    """Show all labs."""
    rows = [
        {
            "lab": lab.short,
            "title": lab.title,
            "hours": lab.hours,
            "points": sum(check.points for check in lab.suite.checks),
            "work": str(_WORK / lab.id) if (_WORK / lab.id).is_dir() else "not started",
        }
        for lab in all_labs()
    ]
    if output == "json":
        print_json({"labs": rows})
    else:
        print_table(["LAB", "TITLE", "HOURS", "POINTS", "WORK"], [[str(value) for value in row.values()] for row in rows])


@lab_command.command("start")
@lab_argument
@_dir
def _start(lab: Lab, folder: Path) -> int:
    """Copy a lab's skeleton into your work folder."""
    target = folder / lab.id
    if target.exists():
        note(f"{target} is there already, and is left as it is. To begin anew, move it away first.")
        return _FAILED
    target.mkdir(parents=True)
    for file in sorted((lab.folder / "skeleton").glob("*.*")):
        (target / file.name).write_bytes(file.read_bytes())
    (target / "README.md").write_bytes((lab.folder / "README.md").read_bytes())
    hours = f"{lab.hours} hour" if lab.hours == "1" else f"{lab.hours} hours"
    print_line(f"{target}: {len(lab.blanks)} methods to write, {hours}. Begin with {target / 'README.md'}")
    print_line(f"then: mq lab check {lab.short}")
    return 0


def _submission_of(lab: Lab, path: Path | None) -> Submission:
    where = path if path is not None else _WORK / lab.id
    if path is None and not where.exists():
        raise click.UsageError(f"there is no {where} yet: mq lab start {lab.short}")
    try:
        return read_submission(where, lab.organ_file, lab.texts)
    except SubmissionError as error:
        raise click.UsageError(str(error)) from error


@lab_command.command("check")
@lab_argument
@_path
@click.option("--all", "is_all", is_flag=True, help="Run every test, also when one failed.")
def _check(lab: Lab, path: Path | None, is_all: bool) -> int:  # noqa: FBT001 - click calls it so
    """Run the tests up to where your work fails, with public seeds, and explain the first failure."""
    submission = _submission_of(lab, path)
    goes_on = until_it_fails(lab)
    failed: list[Outcome] = []

    def tell(outcome: Outcome) -> bool:
        is_new = not failed or failed[-1].message != outcome.message
        print_line(outcome_line(outcome, is_brief=not is_new))
        if not outcome.is_passed:
            failed.append(outcome)
        return goes_on(outcome) or is_all

    grade = grade_of(lab, submission, Seeds(), tell=tell)
    if path is None:
        note_progress(RESULTS / lab.id, grade, "mq lab check")
    return _told(lab, grade, failed)


def _told(lab: Lab, grade: Grade, failed: list[Outcome]) -> int:
    if failed:
        for line in failure_lines(failed[0]):
            print_line(line)
        if grade.printed.strip():
            print_line("\nYour code printed:\n" + textwrap.indent(grade.printed.rstrip(), "  | "))
    print_line(f"\n{lab.short}: {grade.points} of {grade.max_score} points so far, in {grade.seconds:.1f} s ({grade.mode})")
    if failed and failed[0].failure is not None and failed[0].failure.is_pictured:
        kept = tuple(outcome for outcome in grade.outcomes if outcome.is_passed or outcome == failed[0])
        shown = replace(grade, outcomes=kept, reason=CHECKED)
        write_files(RESULTS / lab.id, shown)
        print_line(f"picture:   {RESULTS / lab.id / 'report.html'}")
    return _FAILED if failed or grade.reason else 0


@lab_command.command("replay")
@click.argument("token")
@_path
def _replay(token: str, path: Path | None) -> int:
    """Repeat one failure by the word that was printed with it."""
    from labs.grader.replay import ReplayError, replayed  # noqa: PLC0415 - for this command only

    try:
        lab = find_lab(token.partition(":")[0])
        outcome, run = replayed(lab, token, _submission_of(lab, path))
    except (LabError, ReplayError) as error:
        raise click.UsageError(str(error)) from error
    if outcome.is_passed:
        for line in (outcome_line(outcome), *story_lines(run.story, run.figure)):
            print_line(line)
        return 0
    for line in failure_lines(outcome):
        print_line(line)
    if outcome.failure is not None and outcome.failure.is_pictured:
        grade = Grade(lab.id, lab.title, "replay", (outcome,), reason="one case alone", points_max=outcome.points_max)
        folder = RESULTS / lab.id / "replay"
        write_files(folder, grade)
        print_line(f"picture:   {folder / 'report.html'}")
    return _FAILED


lab_command.add_command(grade_command)


@lab_command.command("catch-up")
@lab_argument
@_dir
def _catch_up(lab: Lab, folder: Path) -> int:
    """Write a working solution of a lab, as a base for the next one. Your own work stays as it is."""
    from labs.grader.skeleton import solution_of, write_all  # noqa: PLC0415 - for this command only

    if is_for_students():
        note("there is no solution in a repository for students; ask your teacher for one")
        return _FAILED
    target = folder / lab.id
    if target.exists():
        target = folder / f"{lab.id}_reference"
    if target.exists():
        note(f"{target} is there already, and is left as it is.")
        return _FAILED
    write_all(target, solution_of(lab))
    print_line(f"{target}: the reference of {lab.short}")
    return 0


lab_command.add_command(release_command)
lab_command.add_command(zip_command)
