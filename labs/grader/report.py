"""A grade on the terminal."""

import textwrap
from collections.abc import Sequence

from labs.grader.figure import Figure
from labs.grader.harmless import harmless
from labs.grader.result import IMPORTED, Failure, Grade, Outcome
from labs.grader.strips import legend, strips_of

__all__ = ["closing_lines", "failure_lines", "outcome_line", "printed_lines", "story_lines"]

_WIDTH = 110
_MESSAGE_CHARS = 150
_BEHIND = " " * 20
_PRINTED_CHARS_MAX = 70
"""Then goes on below, so that no terminal of 80 columns wraps it: behind a wrap would stand a line without the sign before it."""


def outcome_line(outcome: Outcome, *, as_before: str = "", again: str = "") -> str:
    """One test in one line, or in two when it failed. as_before: number of the test with which its reason was told.

    again: the command that repeats the failure, in a line of its own.
    """
    sign = "ok  " if outcome.is_passed else "FAIL"
    of = f"{outcome.points}/{outcome.points_max}"
    runs = f"  {outcome.schedules} schedules, {outcome.seconds:.1f} s" if outcome.schedules > 1 else ""
    line = f"{sign} {of:>6}  {outcome.number:<5} {outcome.name}{runs}"
    if outcome.is_passed:
        return line
    repeat = f"\n{_BEHIND}again: {again}" if again else ""
    if as_before:
        return f"{line}  (as {as_before}){repeat}"
    message = outcome.message if len(outcome.message) <= _MESSAGE_CHARS else outcome.message[: _MESSAGE_CHARS - 1] + "…"
    return f"{line}\n{_BEHIND}{message}{repeat}"


def failure_lines(outcome: Outcome, path: str = "") -> list[str]:
    """All that is known of a failure. path: see `Grade`."""
    failure = outcome.failure or Failure("The test did not come to its end")
    lines = ["", f"--- {outcome.number} {outcome.name}", "", *_wrapped(f"{failure.promise}.")]
    for name, fact in failure.facts:
        lines += _wrapped(f"{name + ':':11}{fact}", " " * 11)
    lines += ["", *failure.code.split("\n")] if failure.code else []
    lines += story_lines(failure.story)
    for heading, disk in failure.disks:
        lines += ["", f"{heading}:", *(f"  {strip}" for strip in strips_of(disk))]
    if failure.disks:
        lines += ["", *(f"  {line}" for line in legend().split("\n"))]
    lines += _figure_lines(failure.figure)
    lines.append("")
    if failure.section:
        lines.append(f"read:      {failure.section}")
    if outcome.replay:
        lines.append(f"again:     {outcome.again(path)}")
        lines.append(f"notebook:  {IMPORTED}; {outcome.call(path)}")
    return lines


def story_lines(story: Sequence[str], figure: Figure | None = None) -> list[str]:
    """What was done, and its picture; nothing when there is nothing to tell."""
    lines = [f"  {number:>3}  {harmless(line)}" for number, line in enumerate(story, 1)]
    told = ["", "What happened:", *lines] if story else []
    return told + _figure_lines(figure)


def printed_lines(printed: str, number: str = "") -> list[str]:
    """What a student's code printed, set apart from all that is ours: each line behind a sign. None when it printed nothing.

    number: of the test that it is of.
    """
    if not printed.strip():
        return []
    found = ["", f"Your code printed in {number}:" if number else "Your code printed:"]
    for line in harmless(printed.rstrip(), has_lines=True).expandtabs(4).split("\n"):
        parts = [line[at : at + _PRINTED_CHARS_MAX] for at in range(0, max(1, len(line)), _PRINTED_CHARS_MAX)]
        found += [f"  | {parts[0]}", *(f"  |   {part}" for part in parts[1:])]
    return found


def _figure_lines(figure: Figure | None) -> list[str]:
    lines = figure.lines() if figure is not None else []
    return ["", *(f"  {line}".rstrip() for line in lines)] if lines else []


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False) or [""]


def closing_lines(grade: Grade) -> list[str]:
    """Score and mode."""
    lines = ["", f"{grade.lab}: {grade.score} of {grade.max_score} points in {grade.seconds:.1f} s ({grade.mode})"]
    if grade.reason:
        lines.append(f"no mark: {grade.reason}")
    return lines
