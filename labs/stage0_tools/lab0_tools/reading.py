"""Ring 4: what a student read in the picture of a failure, held against the same run of the machine with the mistake in it.

Nothing of a student's runs here: `answers.toml` is text. Whatever cannot be read, is missing, or has another type is no answer.
"""

import re
import tomllib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage0_tools.lab0_tools.model import Book, Forgetful
from labs.stage0_tools.lab0_tools.schedules import RIDDLE, drawn
from labs.stage0_tools.lab0_tools.world import CALLERS, World

__all__ = ["FILE", "READING", "Facts", "facts_of", "riddle_facts"]

FILE = "answers.toml"
_PROMISE = "An answer says what the picture shows"
_WORD = re.compile(r"lab0:2\.1:(\d{1,10})(?::(\d{1,2}(?:\.\d{1,2})*))?")
_EXAMPLE = "`lab0:2.1:8142:0.3.7`"
_SECTION = 'README, "Read the picture"'
_RIDDLE_SECTION = 'README, "Predict"'


class Facts(NamedTuple):
    """What happened in a run that broke. caller: whose promise; tickets: the one promised and the one got, 0 for none.

    lost: answers to the caller that were lost; promised_at, forgot_at, broken_at: rows of the story.
    """

    caller: str
    tickets: tuple[int, int]
    lost: tuple[str, ...]
    promised_at: int
    forgot_at: int
    broken_at: int


def facts_of(word: str) -> Facts | str:
    """Of the run that a word of test 2.1 repeats, with the mistake in it. Else why there are none, in a sentence."""
    match = _WORD.fullmatch(word)
    if match is None:
        return f"{word[:60]!r} is no word of test 2.1; it stands behind `again: mq lab replay`, and reads like {_EXAMPLE}"
    steps = drawn("2.1", int(match[1]))
    if match[2] is not None:
        numbers = [int(number) for number in match[2].split(".")]
        if numbers != sorted(set(numbers)) or numbers[-1] >= len(steps):
            return f"{word[:60]!r}: seed {match[1]} has the steps 0 to {len(steps) - 1}, each of them once"
        steps = tuple(steps[number] for number in numbers)
    world = World(Forgetful, Run())
    try:
        for step in steps:
            step.do(world)
    except PromiseBrokenError:
        return _facts(world)
    return f"the run of {word[:60]!r} breaks no promise, even with the mistake in it; take the word of a test that failed"


def _facts(world: World) -> Facts:
    bad = world.given[-1]
    same = [one for one in world.given[:-1] if (one.caller, one.number) == (bad.caller, bad.number)]
    promised, last = same[0], same[-1]
    others = (one for one in world.given if one.row > last.row and one.caller != bad.caller)
    forgot = next(others, last)
    lost = tuple(one.label for one in same if one.is_lost)
    return Facts(bad.caller, (promised.ticket or 0, bad.ticket or 0), lost, promised.row, forgot.row, bad.row)


@cache
def riddle_facts() -> dict[str, Any]:
    """What comes of the riddle with a right machine, and how many tickets are left."""
    world = World(_Right, Run(), 4)
    for step in RIDDLE:
        step.do(world)
    return {**{caller: world.held[caller] for caller in CALLERS}, "left": world.machine.left()}


class _Right:
    """A machine by the book."""

    def __init__(self, tickets: int) -> None:
        self.book = Book(tickets)

    def take(self, caller: str, number: int) -> int | None:
        _, ticket = self.book.wanted(caller, number)
        self.book.note(caller, number, ticket)
        return ticket

    def left(self) -> int:
        return self.book.tickets - self.book.sold

    def to_plain(self) -> list[Any]:
        return [self.book.tickets, [[*asked, ticket] for asked, ticket in self.book.given.items()]]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "_Right":
        made = cls(plain[0])
        made.book.given = {(caller, number): ticket for caller, number, ticket in plain[1]}
        return made


# --- what was handed in


def _wrong(expected: str, found: str) -> PromiseBrokenError:
    return PromiseBrokenError(_PROMISE, expected=expected, found=found, section=_SECTION)


def _table(run: Run, name: str) -> dict[str, Any]:
    text = run.texts.get(FILE)
    if text is None:
        raise _wrong(f"{FILE} lies beside your machine", "there is none")
    try:
        table = tomllib.loads(text).get(name)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"{FILE} is written in TOML", f"Python's reader of TOML says: {str(error)[:120]}") from None
    if type(table) is not dict:
        raise _wrong(f"{FILE} has the part [{name}]", "it has not")
    return table


def _shown(found: Any) -> str:
    """The beginning of what was filled in. Python refuses to write numbers of thousands of digits."""
    try:
        return repr(str(found)[:60])
    except ValueError:
        return "a number without end"


def _answer(table: dict[str, Any], name: str, kind: type, empty: Any) -> Any:
    """One that was filled in."""
    found = table.get(name)
    if type(found) is not kind:
        raise _wrong(f"`{name}` is {_NAMES[kind]}", f"it is {_shown(found)}" if name in table else "it is not there")
    if type(found) is int and abs(found) > _NUMBER_MAX:
        raise _wrong(f"`{name}` is a number of a few digits", "it has many more")
    if found == empty:
        raise _wrong(f"`{name}` is filled in", f"it is still {empty!r}")
    return found


_NUMBER_MAX = 10**9
_NAMES = {str: 'text, in "quotes"', int: "a number", list: "a list of numbers, such as [1, 3]"}


def _facts_told(table: dict[str, Any]) -> Facts:
    facts = facts_of(_answer(table, "again", str, ""))
    if isinstance(facts, str):
        raise _wrong("`again` is the word of a run in which the mistake shows", facts)
    return facts


def _numbers(table: dict[str, Any], name: str) -> list[Any]:
    found = table.get(name)
    if type(found) is not list or not all(type(one) is int for one in found):
        raise _wrong(f"`{name}` is {_NAMES[list]}", f"it is {_shown(found)}" if name in table else "it is not there")
    return found


def _who(run: Run) -> None:
    table = _table(run, "failure")
    facts = _facts_told(table)
    caller = _answer(table, "caller", str, "")
    if caller != facts.caller:
        raise _wrong(
            "`caller` is who asked again, and got another ticket", f"{caller[:20]!r} is not; see the last line of the story"
        )
    tickets = _numbers(table, "tickets")
    if len(tickets) != 2 or tuple(tickets) != facts.tickets:
        hint = "first the ticket that was promised, then the one that came in its place; both stand in `expected` and `found`"
        raise _wrong(f"`tickets` are the two tickets for {facts.caller}'s request: {hint}", f"it is {str(tickets)[:40]}")


def _lost(run: Run) -> None:
    table = _table(run, "failure")
    facts = _facts_told(table)
    lost = _answer(table, "lost", str, "")
    if lost not in facts.lost:
        told = "an arrow with an x at its end; its name, such as m4, stands on it"
        raise _wrong(f"`lost` is the message that did not reach {facts.caller}: {told}", f"{lost[:20]!r} is not the one")


def _rows(run: Run) -> None:
    table = _table(run, "failure")
    facts = _facts_told(table)
    for name, wanted, what in (
        ("promised_at", facts.promised_at, f"the step in which the machine first gave {facts.caller} a ticket for this request"),
        ("broken_at", facts.broken_at, "the step in which the promise is broken; the picture points at it"),
        ("forgot_at", facts.forgot_at, "the step in which the machine forgets what it had promised: what does it note there?"),
    ):
        found = _answer(table, name, int, 0)
        if found != wanted:
            raise _wrong(f"`{name}` is {what}", f"step {found} is another one")


def _prediction(run: Run) -> None:
    table = _table(run, "riddle")
    for name, wanted in riddle_facts().items():
        if name == "left":
            if _answer(table, name, int, -1) != wanted:
                raise _wrong("`left` says how many of the four tickets are on the roll at the end", "it is another number")
            continue
        if _numbers(table, name) != wanted:
            hint = "a ticket counts when its answer arrived; go through the nine steps with a pencil"
            raise _wrong(f"`{name}` lists the tickets that {name} holds at the end ({hint})", "it is another list")


def _check(number: str, name: str, points: int, judge: Callable[[Run], None]) -> Check:
    def play(_make: Make, _steps: tuple[object, ...], run: Run) -> None:
        try:
            judge(run)
        except PromiseBrokenError as error:
            error.section = section
            raise
        run.met["read"] += 1

    section = _RIDDLE_SECTION if judge is _prediction else _SECTION
    case = Case("", (), play, is_apart=True)
    return Check(number, name, section, lambda _seeds: (case,), points=points, must_meet={"read": 1})


READING = (
    _check("4.1", "you read which run failed, whose promise it was, and which tickets", 5, _who),
    _check("4.2", "you read which message was lost", 5, _lost),
    _check("4.3", "you read where it was promised, forgotten and broken", 5, _rows),
    _check("4.4", "you predicted what comes of a run", 5, _prediction),
)
