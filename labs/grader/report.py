"""A grade on the terminal."""

import textwrap
from collections.abc import Sequence

from labs.grader.figure import Figure
from labs.grader.harmless import harmless
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.strips import legend, strips_of

__all__ = ["closing_lines", "failure_lines", "outcome_line", "story_lines"]

_WIDTH = 110
_MESSAGE_CHARS = 150


def outcome_line(outcome: Outcome, *, is_brief: bool = False) -> str:
    """One test in one line, or in two when it failed. is_brief: its reason was told before."""
    sign = "ok  " if outcome.is_passed else "FAIL"
    of = f"{outcome.points}/{outcome.points_max}"
    runs = f"  {outcome.schedules} schedules, {outcome.seconds:.1f} s" if outcome.schedules > 1 else ""
    line = f"{sign} {of:>6}  {outcome.number:<5} {outcome.name}{runs}"
    if outcome.is_passed or is_brief:
        return line
    message = outcome.message if len(outcome.message) <= _MESSAGE_CHARS else outcome.message[: _MESSAGE_CHARS - 1] + "…"
    return f"{line}\n                    {message}"


def failure_lines(outcome: Outcome) -> list[str]:
    """All that is known of a failure."""
    failure = outcome.failure or Failure("The test did not come to its end")
    lines = ["", f"--- {outcome.number} {outcome.name}", "", *_wrapped(f"{failure.promise}.")]
    if failure.expected:
        lines += _wrapped(f"expected:  {failure.expected}", "           ")
    if failure.found:
        lines += _wrapped(f"found:     {failure.found}", "           ")
    lines += story_lines(failure.story)
    for heading, disk in failure.disks:
        lines += ["", f"{heading}:", *(f"  {strip}" for strip in strips_of(disk))]
    if failure.disks:
        lines += ["", f"  {legend()}"]
    lines += _figure_lines(failure.figure)
    lines.append("")
    if failure.section:
        lines.append(f"read:      {failure.section}")
    if outcome.replay:
        lines.append(f"again:     mq lab replay {outcome.replay}")
    return lines


def story_lines(story: Sequence[str], figure: Figure | None = None) -> list[str]:
    """What was done, and its picture; nothing when there is nothing to tell."""
    lines = [f"  {number:>3}  {harmless(line)}" for number, line in enumerate(story, 1)]
    told = ["", "What happened:", *lines] if story else []
    return told + _figure_lines(figure)


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
