"""`mq lab`: registered as a command of `mq` by entry point, since nothing in `mq` knows the labs."""

from dataclasses import replace
from pathlib import Path

import click

from labs.grader.cli_begin import carried_lines, catch_up_command, start_command
from labs.grader.cli_class import release_command, zip_command
from labs.grader.cli_grade import grade_command
from labs.grader.cli_help import CommandsOfLabs
from labs.grader.cli_types import lab_argument
from labs.grader.files import note_progress, write_files
from labs.grader.grading import grade_of, until_it_fails
from labs.grader.lab import Lab, LabError, all_labs, find_lab
from labs.grader.places import course_above, path_told, results_of, work_folder
from labs.grader.replay import ReplayError, replayed, replayed_grade, with_prints_of
from labs.grader.report import failure_lines, outcome_line, printed_lines, story_lines
from labs.grader.result import CHECKED, CHECKED_ALL, Grade, Outcome
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission, SubmissionError, found_submission
from labs.grader.under_way import UnderWay
from labs.grader.way import behind, spoken
from mq.cli.failing import tidy_end
from mq.cli.output import note, print_json, print_line, print_table

__all__ = ["lab_command"]

_FAILED = 1


_path = click.argument("path", type=click.Path(path_type=Path), required=False)
_output = click.option(
    "-o", "--output", type=click.Choice(["table", "json"], case_sensitive=False), default="table", show_default=True
)


@click.group("lab", cls=CommandsOfLabs)
@click.pass_context
def lab_command(ctx: click.Context) -> None:
    """Start a lab, check your work, have it graded, repeat a failure.

    Your work lies in `work/`, one folder for each lab; it is never overwritten.
    """
    ctx.with_resource(tidy_end())  # else a student's endless loop would go on when the grader is ended
    course = course_above()
    if course is not None and ctx.invoked_subcommand not in CommandsOfLabs.of_teachers:
        note(f"The course is in {course}: your work is taken from its folder `work`.")


@lab_command.command("list")
@_output
def _list(output: str) -> None:
    """Show all labs."""
    work = work_folder()
    rows = [
        {
            "lab": lab.short,
            "title": lab.title,
            "hours": lab.hours,
            "points": sum(check.points for check in lab.suite.checks),
            "work": str(work / lab.id) if (work / lab.id).is_dir() else "not started",
        }
        for lab in all_labs()
    ]
    if output == "json":
        print_json({"labs": rows})
    else:
        print_table(["LAB", "TITLE", "HOURS", "POINTS", "WORK"], [[str(value) for value in row.values()] for row in rows])


lab_command.add_command(start_command)


def _submission_of(lab: Lab, path: Path | None) -> Submission:
    where = path if path is not None else work_folder() / lab.id
    if path is None and not where.exists():
        raise click.UsageError(f"there is no {where} yet: mq lab start {lab.short}")
    try:
        return found_submission(where, lab.organ_file, lab.texts)
    except SubmissionError as error:
        raise click.UsageError(str(error)) from error


@lab_command.command("check")
@lab_argument
@_path
@click.option("--all", "is_all", is_flag=True, help="Run every test, also when one failed.")
def _check(lab: Lab, path: Path | None, is_all: bool) -> int:  # noqa: FBT001 - click calls it so
    """Run the tests up to where your work fails, with public seeds, and explain the first failure."""
    submission, told = _submission_of(lab, path), path_told(lab, path)
    goes_on = until_it_fails(lab)
    failed: list[Outcome] = []

    def tell(outcome: Outcome) -> bool:
        is_told = bool(failed) and failed[-1].message == outcome.message
        again = outcome.again(told) if is_all else ""
        under_way.erase()
        print_line(outcome_line(outcome, as_before=failed[-1].number if is_told else "", again=again))
        if not outcome.is_passed and not is_told:
            failed.append(outcome)
        is_more = goes_on(outcome) or is_all
        if is_more:
            under_way.show(outcome.number)
        return is_more

    with UnderWay(lab) as under_way:
        grade = grade_of(lab, submission, Seeds(), tell=tell, path=told)
    if path is None:
        note_progress(results_of(lab, path), grade, "mq lab check")
    if grade.first_failure is not None:
        grade = with_prints_of(lab, submission, grade, grade.first_failure)
    return _told(lab, grade, results_of(lab, path), submission, is_all=is_all)


def _told(lab: Lab, grade: Grade, folder: Path, submission: Submission, *, is_all: bool) -> int:
    first = grade.first_failure
    if first is not None:
        for line in (*failure_lines(first, grade.path), *printed_lines(grade.printed, grade.printed_in)):
            print_line(line)
        for line in () if first.failure is None or first.failure.is_lack else carried_lines(lab, submission):
            print_line(line)
    print_line(f"\n{lab.short}: {grade.points} of {grade.max_score} points so far, in {grade.seconds:.1f} s ({grade.mode})")
    if first is not None and is_all:
        write_files(folder, replace(grade, reason=CHECKED_ALL))
        print_line(f"all failures: {folder / 'report.html'}")
    elif first is not None and first.failure is not None and first.failure.is_pictured:
        write_files(folder, replace(grade, reason=CHECKED))
        print_line(f"picture:   {folder / 'report.html'}")
    elif first is None and not (grade.reason or grade.path) and (told := _what_comes_next(lab)):
        print_line(f"next:      {told}")
    return _FAILED if first is not None or grade.reason else 0


def _what_comes_next(lab: Lab) -> str:
    """Behind a lab that is done; empty behind the last one, and for one that is not on the way."""
    after = behind(lab.id, [each.id for each in all_labs()])
    if not after.startswith("lab"):
        return after and f"{spoken(after)}, in `python3 run.py course`"
    return f"{spoken(after)}: mq lab start {after.partition('_')[0]}"


@lab_command.command("replay")
@click.argument("token")
@_path
def _replay(token: str, path: Path | None) -> int:
    """Repeat one failure by the word that was printed with it."""
    try:
        lab = find_lab(token.partition(":")[0])
        outcome, run = replayed(lab, token, _submission_of(lab, path))
    except (LabError, ReplayError) as error:
        raise click.UsageError(str(error)) from error
    if outcome.is_passed:
        for line in (outcome_line(outcome), *story_lines(run.story, run.figure), *printed_lines(run.printed)):
            print_line(line)
        return 0
    told = path_told(lab, path)
    for line in (*failure_lines(outcome, told), *printed_lines(run.printed)):
        print_line(line)
    if outcome.failure is not None and outcome.failure.is_pictured:
        grade = replayed_grade(lab, outcome, run, told)
        folder = results_of(lab, path) / "replay"
        write_files(folder, grade)
        print_line(f"picture:   {folder / 'report.html'}")
    return _FAILED


lab_command.add_command(grade_command)


lab_command.add_command(catch_up_command)
lab_command.add_command(release_command)
lab_command.add_command(zip_command)
