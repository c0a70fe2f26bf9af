"""The page of a check: the first failure, and a row for each test that was run, with why it failed."""

import re

from labs.grader.page import page_of
from labs.grader.result import CHECKED, CHECKED_ALL, Failure, Grade, Outcome

WRONG = Failure("Each term has at most one leader", "node 1 leads term 2", "node <3> leads it, `too`")
OUTCOMES = (
    Outcome("1.1", "first", 5, is_passed=True),
    Outcome("1.7", "seventh", 5, failure=Failure("It is not written yet")),
    Outcome("1.9", "ninth", 5, failure=WRONG),
    Outcome("1.10", "tenth", 5, is_passed=True),
    Outcome("1.11", "eleventh", 5, failure=WRONG),
    Outcome("1.15", "fifteenth", 5, failure=Failure("It is not written yet")),
    Outcome("1.23", "twenty-third", 5),
)


def rows_of(reason: str) -> list[list[str]]:
    """Of the table: the text of each cell, and marks in it as they are."""
    page = page_of(Grade("lab0", "A lab", "practice", OUTCOMES, reason=reason))
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr class.*?</tr>", page)]


def test_each_test_that_failed_in_a_check_has_its_row_and_a_line_that_says_why() -> None:
    rows = rows_of(CHECKED)
    assert [row[1] for row in rows] == [outcome.number for outcome in OUTCOMES]
    assert [row[0] for row in rows] == [
        "passed", "failed", '<a href="#t1.9">failed</a>', "passed", "failed", "failed", "failed",
    ]  # fmt: skip
    assert [re.sub(r"<div class=\"why\">(.*)</div>", r" | \1", row[2]) for row in rows] == [
        "first",
        "seventh | It is not written yet",
        "ninth",
        "tenth",
        "eleventh | as 1.9",
        "fifteenth | as 1.7",
        "twenty-third | did not finish",
    ]


def test_where_all_failures_have_their_part_of_the_page_the_rows_lead_there() -> None:
    rows = rows_of(CHECKED_ALL)
    assert [row[0] for row in rows if "failed" in row[0]] == [
        f'<a href="#t{outcome.number}">failed</a>' for outcome in OUTCOMES if not outcome.is_passed
    ]
    assert not any("why" in row[2] for row in rows)
