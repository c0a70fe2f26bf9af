"""A grade as one HTML file that needs nothing else: text, tables, pictures inside of it."""

import base64
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from html import escape

from labs.grader.result import CHECKED, CHECKED_ALL, IMPORTED, Failure, Grade, Outcome
from labs.grader.strips import IN_PICTURES, legend, picture_of, strips_of

__all__ = ["drawing", "facts_of", "marked", "page_of", "story_of", "table_of"]

_CODE = re.compile(r"`([^`]+)`")
_PICTURES_MAX = 3
"""Drawing takes a second each; the other failures are drawn in text."""
_FIGURES_MAX = 12
"""The same, of pictures that a lab draws: some tenths of a second each, and a hundred kilobytes."""
_NOT_DRAWN = "The pictures of {} of these failures stand here in text; the command behind <em>again</em> draws each of them."
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2a35; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #d5dbe1; }
td.points { text-align: right; white-space: nowrap; } td.runs { white-space: nowrap; }
tr.failed td:first-child { color: #b3261e; font-weight: 600; }
tr.passed td:first-child { color: #1b6e3c; } .facts { display: grid; grid-template-columns: 6rem 1fr; gap: .3rem 1rem; }
.facts dt { color: #5a6874; } .facts dd { margin: 0; } pre { background: #f3f5f7; padding: .8rem; overflow-x: auto; }
code { background: #f3f5f7; padding: .1rem .3rem; } img { max-width: 100%; border: 1px solid #d5dbe1; } .mode { color: #5a6874; }
.why { color: #5a6874; font-size: .875rem; }
"""


def page_of(grade: Grade) -> str:
    """The whole page."""
    failed = [outcome for outcome in grade.outcomes if not outcome.is_passed]
    points = f"{grade.score} of {grade.max_score} points"
    reason = f"<p><strong>No mark: {escape(grade.reason)}</strong></p>" if grade.reason else ""
    if grade.reason in (CHECKED, CHECKED_ALL):
        points = f"{grade.points} of {grade.max_score} points so far"
        reason = _about_a_check(grade, len(failed) - 1)
    told = [grade.first_failure] if grade.reason == CHECKED and grade.first_failure is not None else failed
    drawn = _drawn(told)
    parts = [_failure(outcome, grade.path, is_drawn=outcome.number in drawn) for outcome in told]
    left = [outcome for outcome in told if outcome.number not in drawn and outcome.failure and outcome.failure.is_pictured]
    notes = f'<p class="mode">{_NOT_DRAWN.format(len(left))}</p>' if left else ""
    if grade.reason == CHECKED:
        whole = [*parts, table_of(grade, linked={one.number for one in told})]
    else:
        whole = [table_of(grade), notes, *parts]
    heading = "What your code printed" + (f" in {grade.printed_in}" if grade.printed_in else "")
    printed = f"<h2>{heading}</h2><pre>{escape(grade.printed)}</pre>" if grade.printed.strip() else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(grade.lab)}: {points}</title>
<style>{_STYLE}</style></head><body>
<h1>{escape(grade.title)}: {points}</h1>
<p class="mode">{escape(grade.lab)}, {escape(grade.mode)}, {grade.seconds:.1f} s</p>
{reason}{"".join(whole)}{printed}
</body></html>
"""


def _about_a_check(grade: Grade, others: int) -> str:
    """What the page of a check holds, and how to see the rest. others: so many tests failed besides the first one."""
    if grade.reason == CHECKED_ALL:
        return "<p>All tests, and all failures behind them. Mend the first one first, and check again.</p>"
    more = "No other test failed so far" if not others else f"{others} more test{'s' * (others > 1)} failed so far"
    words = ["mq", "lab", "check", grade.lab.partition("_")[0], *([shlex.quote(grade.path)] if grade.path else []), "--all"]
    how = f"{more}; <code>{escape(' '.join(words))}</code> runs every test, and shows each failure here."
    return f"<p>The first failure, and a line for each other test that was run. Mend it, and check again. {how}</p>"


def _drawn(failed: Sequence[Outcome]) -> set[str]:
    """Numbers of those whose pictures are drawn."""
    with_disks = [outcome.number for outcome in failed if outcome.failure is not None and outcome.failure.disks]
    with_figures = [outcome.number for outcome in failed if outcome.failure is not None and outcome.failure.figure is not None]
    return {*with_disks[:_PICTURES_MAX], *with_figures[:_FIGURES_MAX]}


def table_of(grade: Grade, *, is_linked: bool = True, linked: Collection[str] | None = None) -> str:
    """A row for each test. is_linked: what failed leads to its own part of the page.

    linked: numbers of the only ones that have a part there; of the others that failed it is said in their rows why.
    """
    rows, told = [], dict[str, str]()
    for outcome in grade.outcomes:
        is_there = is_linked and (linked is None or outcome.number in linked)
        link = f'<a href="#t{outcome.number}">failed</a>' if is_there else "failed"
        kind, word = ("passed", "passed") if outcome.is_passed else ("failed", link)
        runs = f"{outcome.schedules} schedules, {outcome.seconds:.1f} s" if outcome.schedules > 1 else ""
        why = "" if outcome.is_passed or linked is None or is_there else _why(outcome, told)
        if not outcome.is_passed:
            told.setdefault(outcome.message, outcome.number)
        rows.append(
            f'<tr class="{kind}"><td>{word}</td><td>{outcome.number}</td><td>{escape(outcome.name)}{why}</td>'
            f'<td class="runs">{runs}</td><td class="points">{outcome.points} / {outcome.points_max}</td></tr>'
        )
    return f"<table><tr><th></th><th></th><th>test</th><th></th><th>points</th></tr>{''.join(rows)}</table>"


def _why(outcome: Outcome, told: Mapping[str, str]) -> str:
    """In a line, why a test failed. told: what was said already, with the number of its test."""
    before = told.get(outcome.message)
    return f'<div class="why">{marked(outcome.message) if before is None else f"as {before}"}</div>'


def _failure(outcome: Outcome, path: str, *, is_drawn: bool) -> str:
    failure = outcome.failure or Failure("The test did not come to its end")
    read = f"<dt>read</dt><dd>{marked(failure.section)}</dd>" if failure.section else ""
    replay = f"<dt>again</dt><dd><code>{escape(outcome.again(path))}</code></dd>" if outcome.replay else ""
    call = escape(f"{IMPORTED}; {outcome.call(path)}", quote=False)
    replay += f"<dt>notebook</dt><dd><code>{call}</code></dd>" if outcome.replay else ""
    return (
        f'<h2 id="t{outcome.number}">{outcome.number} {escape(outcome.name)}</h2>'
        f"<p><strong>{marked(failure.promise)}.</strong></p>"
        f"{facts_of(failure, read + replay)}{story_of(failure.story)}{drawing(failure, is_drawn=is_drawn)}"
    )


def marked(text: str) -> str:
    """Text for a page: what stands between backticks is code there."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def facts_of(failure: Failure, more: str = "") -> str:
    """The two facts that conflict. more: of the list, behind them."""
    listed = "".join(f"<dt>{name.replace(' ', '&nbsp;')}</dt><dd>{marked(text)}</dd>" for name, text in failure.facts)
    code = f"<pre>{escape(failure.code)}</pre>" if failure.code else ""
    return f'<dl class="facts">{listed}{more}</dl>{code}'


def story_of(story: Sequence[str]) -> str:
    """What happened, line by line; nothing when there is nothing to tell."""
    lines = "".join(f"<li>{marked(line)}</li>" for line in story)
    return f"<p>What happened:</p><ol>{lines}</ol>" if lines else ""


def drawing(failure: Failure, *, is_drawn: bool) -> str:
    """A picture where it can be drawn, else text."""
    if failure.figure is not None and not is_drawn:
        lines = failure.figure.lines()
        return f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""
    svg = failure.figure.svg() if failure.figure is not None else ""
    if svg:
        data = base64.b64encode(svg.encode("utf-8", "replace")).decode()
        return f'<img alt="{escape(failure.promise)}" src="data:image/svg+xml;base64,{data}">'
    if not failure.disks:
        return ""
    lines = [line for heading, disk in failure.disks for line in (f"{heading}:", *strips_of(disk), "")]
    text = f"<pre>{escape(chr(10).join([*lines, legend()]))}</pre>"
    png = picture_of(failure) if is_drawn else b""
    if not png:
        return text
    data = base64.b64encode(png).decode()
    picture = f'<img alt="{escape(failure.promise)}" src="data:image/png;base64,{data}">'
    about = f'<p class="mode">{marked(IN_PICTURES)}</p>'
    return f"{picture}{about}<details><summary>The disk in text</summary>{text}</details>"
