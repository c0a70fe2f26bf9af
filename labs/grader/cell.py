"""A grade as a notebook's cell shows it: the first failure and what to do about it, and all else folded behind it."""

from collections.abc import Sequence
from html import escape

from labs.grader.figure import Figure
from labs.grader.page import drawing, facts_of, marked, story_of, table_of
from labs.grader.result import REPLAY, Failure, Grade, Outcome

__all__ = ["cell_of"]

_STYLE = """
.mq-lab { max-width: 62rem; } .mq-lab h3 { margin: .4rem 0; } .mq-lab h4 { margin: 1rem 0 .3rem; }
.mq-lab .mode { color: #5a6874; margin: 0; }
.mq-lab .next { border-left: 4px solid #2b6cb0; padding: .3rem .8rem; margin: 1rem 0; }
.mq-lab table { width: 100%; border-collapse: collapse; table-layout: auto; margin: .4rem 0; }
.mq-lab td, .mq-lab th { text-align: left !important; padding: .2rem .6rem; white-space: normal; }
.mq-lab td.points, .mq-lab td.runs { white-space: nowrap; } .mq-lab tr.failed td:first-child { color: #b3261e; font-weight: 600; }
.mq-lab dl.facts { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem 1rem; margin: .5rem 0; }
.mq-lab dl.facts dt { color: #5a6874; font-weight: 400; } .mq-lab dl.facts dd { margin: 0; }
.mq-lab img { max-width: 100%; border: 1px solid #d5dbe1; } .mq-lab summary { cursor: pointer; margin: .3rem 0; }
"""
"""Each rule is for our own part of the page: a notebook goes on behind it."""


def cell_of(grade: Grade, story: Sequence[str] = (), figure: Figure | None = None) -> str:
    """A part of a page. story, figure: what happened in a replay that passed."""
    failed = [outcome for outcome in grade.outcomes if not outcome.is_passed]
    parts = [f"<h3>{escape(_heading(grade))}</h3>", f'<p class="mode">{escape(grade.lab)}, {escape(grade.mode)}</p>']
    if failed:
        first = grade.first_failure or failed[0]
        parts += [_first(first), _next(grade, first), _others([one for one in failed if one is not first])]
    elif story:
        parts.append(story_of(story) + drawing(Failure("What happened", figure=figure), is_drawn=True))
    if grade.mode != REPLAY:
        parts.append(
            f"<details><summary>{len(grade.outcomes)} tests were run</summary>{table_of(grade, is_linked=False)}</details>"
        )
    if grade.printed.strip():
        summary = f"What your code printed{f' in {grade.printed_in}' if grade.printed_in else ''}"
        parts.append(f"<details><summary>{summary}</summary><pre>{escape(grade.printed)}</pre></details>")
    return f'<div class="mq-lab"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _heading(grade: Grade) -> str:
    if grade.mode == REPLAY:
        numbers = ", ".join(f"{one.number} {'passes' if one.is_passed else 'fails'}" for one in grade.outcomes)
        return f"{grade.title}: {numbers}"
    return f"{grade.title}: {grade.points} of {grade.max_score} points{' so far' if grade.reason else ''}"


def _first(outcome: Outcome) -> str:
    failure = outcome.failure or Failure("The test did not come to its end")
    return (
        f"<h4>{outcome.number} {escape(outcome.name)}</h4><p><strong>{marked(failure.promise)}.</strong></p>"
        f"{facts_of(failure)}{story_of(failure.story)}{drawing(failure, is_drawn=True)}"
    )


def _next(grade: Grade, outcome: Outcome) -> str:
    section = outcome.failure.section if outcome.failure is not None else ""
    if section.startswith("README, method"):
        read = f"write it ({section}, has hints)"
    else:
        read = f"read {section}, and mend your code" if section else "mend your code"
    again = f"<code>{escape(outcome.call(grade.path), quote=False)}</code>" if outcome.replay else "this cell"
    how = "this cell again" if grade.mode == REPLAY else f"{again} for this failure alone, or this cell for all tests"
    command = outcome.again(grade.path)
    there = f" In a terminal: <code>{escape(command)}</code>." if command else ""
    return f'<p class="next"><strong>Next:</strong> {marked(read)}. Then run {how}.{there}</p>'


def _others(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    rows = "".join(f"<li>{one.number} {escape(one.name)}: {marked(one.message)}</li>" for one in outcomes)
    return f"<details><summary>{len(outcomes)} more failed; mend the first one first</summary><ul>{rows}</ul></details>"
