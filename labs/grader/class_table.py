"""What came of a class, as `class.csv`, `class.html` and `similarity.csv`: made of the results that lie there, one at a time."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Any
from urllib.parse import quote

from labs.grader.class_alike import Alike, alike_part, alike_rows, look_alike
from labs.grader.class_run import ClassRun, Entry, is_of_the_table
from labs.grader.policy import Late, Policy
from labs.grader.result import NOT_GRADED, NOT_IMPORTED

__all__ = ["Row", "rows_of", "write_class"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1d2a35; margin: 2rem 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; } .quiet { color: #5a6874; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
td.who, th.who { position: sticky; left: 0; background: #fff; min-width: 9rem; max-width: 18rem; overflow-wrap: anywhere; }
td.alike, th.alike { min-width: 14rem; font-size: .85rem; } td .why { display: block; color: #b3261e; font-size: .85rem; }
td, th { padding: .2rem .4rem; border-bottom: 1px solid #d5dbe1; text-align: left; }
td.n, th.n { text-align: right; white-space: nowrap; } td.t { text-align: center; min-width: 1rem; padding: .2rem .05rem; }
th.t { font-weight: 400; font-size: .7rem; padding: .2rem .1rem; text-align: center; }
th.t span { writing-mode: vertical-rl; }
td.yes { background: #dff0e3; color: #1b6e3c; } td.no { background: #fbe3e1; color: #b3261e; }
td.none { background: #eceff2; color: #5a6874; }
pre { background: #f3f5f7; padding: .6rem; overflow-x: auto; margin: 0; font-size: 12.5px; }
.two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: .6rem; margin: .5rem 0 1rem; }
summary { cursor: pointer; padding: .3rem 0; }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One submission. tests: number -> (passed, name). score: None when it could not be graded.

    note: what is to be known of one that was: that Python could not read it, and the line.
    """

    name: str
    score: int | None
    max_score: int
    late: Late
    reason: str
    mode: str
    seconds: float
    tests: dict[str, tuple[bool, str]]
    note: str = ""

    @property
    def why(self) -> str:
        """Why there is no score, or so little."""
        return self.reason or self.note


def rows_of(run: ClassRun, entries: Iterable[Entry], policy: Policy) -> list[Row]:
    """Of what lies in the results."""
    return [_row(entry.name, run.result_of(entry.name), policy) for entry in entries]


def _row(name: str, found: dict[str, Any], policy: Policy) -> Row:
    reason = str(found.get("reason") or "")
    score = None if reason else int(found.get("score", 0))
    tests = {}
    for test in found.get("tests", ()):
        number, _, title = str(test["name"]).partition(" ")
        tests[number] = (bool(test["passed"]), title)
    messages = (str(test.get("message") or "") for test in found.get("tests", ()))
    note = "" if reason else next((each for each in messages if each.startswith(NOT_IMPORTED)), "")
    note = note.removeprefix(f"{NOT_IMPORTED}: ")
    late = policy.late(name, score or 0)
    mode = NOT_GRADED if reason else str(found.get("mode", ""))
    seconds = float(found.get("seconds") or 0)
    return Row(name, score, int(found.get("max_score", 0)), late, reason, mode, seconds, tests, note)


def write_class(run: ClassRun, entries: Sequence[Entry], policy: Policy) -> tuple[list[Row], Alike]:
    """Write the files, each whole or not at all; returns what is in them."""
    rows = rows_of(run, entries, policy)
    run.results.mkdir(parents=True, exist_ok=True)
    # The marks first: comparing takes a while, and whoever stops it has them.
    _write(run, "class.csv", _csv(rows, Alike((), ())))
    found = look_alike(run, entries)
    _write(run, "class.csv", _csv(rows, found))
    _write(run, "similarity.csv", _as_csv(alike_rows(found)))
    _write(run, "class.html", _page(run, rows, found, entries))
    return rows, found


def _write(run: ClassRun, name: str, text: str) -> None:
    half = run.results / f".{name}.half"
    half.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")  # names need not be UTF-8
    half.replace(run.results / name)


# --- for spreadsheets


def _cell(value: object) -> object:
    """A text that a spreadsheet takes for a text: it may leave out blanks before it looks for a formula."""
    if not isinstance(value, str):
        return value
    is_formula = value[:1] in ("\t", "\r") or value.lstrip()[:1] in ("=", "+", "-", "@")
    return f"'{value}" if is_formula else value


def _as_csv(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _numbers(rows: Sequence[Row]) -> list[str]:
    numbers = {number for row in rows for number in row.tests}
    return sorted(numbers, key=lambda number: [int(part) if part.isdecimal() else 0 for part in number.split(".")])


def _csv(rows: Sequence[Row], found: Alike) -> str:
    numbers = _numbers(rows)
    lines: list[Sequence[object]] = [["name", "score", "max_score", "days_late", "mark", "reason", "mode", "alike", *numbers]]
    for row in rows:
        days = "" if row.late.days is None else row.late.days
        passed = [int(row.tests[number][0]) if number in row.tests else "" for number in numbers]
        score, mark = ("", "") if row.score is None else (row.score, f"{row.late.points:g}")
        lines.append([row.name, score, row.max_score, days, mark, row.why, row.mode, found.of(row.name), *passed])
    return _as_csv(lines)


# --- for people


def _page(run: ClassRun, rows: Sequence[Row], found: Alike, entries: Sequence[Entry]) -> str:
    numbers = _numbers(rows)
    graded = [row.score for row in rows if row.score is not None]
    middle = f"median {median(graded):g} points" if graded else "no points"
    modes = Counter(row.mode for row in rows if row.score is not None)
    told = ", ".join(f"{'All' if len(modes) == 1 else count} in {mode}" for mode, count in modes.items())
    facts = f"{len(rows)} submissions, {len(graded)} graded: {middle}.{f' {told}.' if told else ''}"
    lines = "".join(_line(row, numbers, found) for row in rows)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(run.lab.title)}: a class</title><style>{_STYLE}</style></head><body>
<h1>{escape(run.lab.title)} ({escape(run.lab.short)}): a class</h1>
<p class="quiet">{escape(facts)}</p>
<div class="wide"><table>{_head(numbers, rows)}{lines}{_foot(numbers, rows)}</table></div>
{alike_part(run, found, entries)}
</body></html>
"""


def _head(numbers: Sequence[str], rows: Sequence[Row]) -> str:
    titles = {number: row.tests[number][1] for row in rows for number in row.tests}
    tests = "".join(f'<th class="t" title="{escape(titles[number])}"><span>{number}</span></th>' for number in numbers)
    marks = "".join(f'<th class="n">{name}</th>' for name in ("score", "late", "mark"))
    return f'<tr><th class="who">submission</th>{marks}{tests}<th class="alike">alike</th></tr>'


def _line(row: Row, numbers: Sequence[str], found: Alike) -> str:
    days = "?" if row.late.days is None else f"{row.late.days} d" if row.late.days else ""
    score, mark = ("-", "-") if row.score is None else (f"{row.score} / {row.max_score}", f"{row.late.points:g}")
    tests = "".join(_test(row, number) for number in numbers)
    if row.reason:
        tests = f'<td class="none" colspan="{len(numbers) or 1}">{escape(row.reason)}</td>'
    name = escape(row.name)
    if not is_of_the_table(row.name):
        name = f'<a href="{quote(os.fsencode(row.name))}/report.html">{name}</a>'
    why = f'<span class="why">{escape(row.note)}</span>' if row.note else ""
    return (
        f'<tr><td class="who">{name}{why}</td><td class="n">{score}</td>'
        f'<td class="n">{days}</td><td class="n">{mark}</td>{tests}<td class="alike">{escape(found.of(row.name))}</td></tr>'
    )


def _test(row: Row, number: str) -> str:
    found = row.tests.get(number)
    kind, sign = ("none", "") if found is None else ("yes", "✓") if found[0] else ("no", "✗")
    return f'<td class="t {kind}">{sign}</td>'


def _foot(numbers: Sequence[str], rows: Sequence[Row]) -> str:
    """How many passed each test."""
    counts = [sum(row.tests.get(number, (False, ""))[0] for row in rows) for number in numbers]
    cells = "".join(f'<td class="t">{count}</td>' for count in counts)
    return f'<tr class="quiet"><td class="who">passed by</td><td></td><td></td><td></td>{cells}<td></td></tr>'
