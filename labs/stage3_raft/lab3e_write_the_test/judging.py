"""What a student's schedule is worth: it is played on right Rafts, none of which may fail, and on the wrong one.

A schedule *tells apart* when the wrong Raft does not meet an `expect` that all right ones meet; it *kills* when the wrong Raft
breaks a promise in it, whatever the schedule expects. All is played here, in the trusted process: a schedule is data.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from labs.grader.result import NOT_WRITTEN
from labs.stage3_raft.lab3e_write_the_test.language import LineError, Schedule, parsed
from labs.stage3_raft.lab3e_write_the_test.rafts import RIGHT, TO_KILL, ToKill
from labs.stage3_raft.scripted import NOT_DONE, Ended, played

__all__ = ["Verdict", "Worth", "judged"]

LIVING_MIN = 3
"""So many right Rafts must come to a schedule's end. One that has not sent what is delivered says nothing, and is left out."""
CAN_BE_READ = "A schedule is read before it is played"
CAN_BE_DONE = "What a schedule says can be done"
RIGHT_LIVE = "A right Raft lives in every schedule"
TELLS_APART = "A test tells a wrong Raft from a right one"
KILLS = "In a test that kills, the wrong Raft breaks a promise"
_CHOICE = "So it is a Raft's own choice, and nothing that is promised"
_NO_MESSAGE = "no such message is on its way"
_FITS = "Messages differ from one right Raft to another: `stabilize` and `deliver 1>2 all` fit them all"
_NEAR = "The wrong Raft has sent it, so you are near: with `all` behind it the command fits right ones, too"
_GO_ON = "That tells it from right ones; let the schedule go on until what was promised to somebody is not so"
_MAY_EXPECT, _LANGUAGE, _KILLED = 'README, "What you may expect"', 'README, "The language"', 'README, "What kills"'


class Worth(IntEnum):
    """How far a schedule has come."""

    NOTHING = 0
    LIVES = 1
    TELLS_APART = 2
    KILLS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one schedule. promise, expected, found, section: what is told of one that does not kill, or of how it kills.

    story: what happened, on the Raft that is told of. costs: its length.
    """

    worth: Worth
    promise: str
    expected: str = ""
    found: str = ""
    section: str = ""
    story: tuple[str, ...] = ()
    costs: int = 0


@lru_cache(maxsize=2 * len(TO_KILL))
def judged(kill: ToKill, text: str) -> Verdict:
    """A student's text for one of the wrong Rafts. It is played once, however many tests ask."""
    try:
        schedule = parsed(text)
    except LineError as error:
        return Verdict(Worth.NOTHING, CAN_BE_READ, f"`{kill.file}` can be read", str(error), _LANGUAGE)
    if not schedule.commands:
        return Verdict(Worth.NOTHING, f"`{kill.file}`{NOT_WRITTEN}", section=f'README, "{kill.name}"')
    ends = {name: played(schedule.text(), raft) for name, raft in RIGHT.items()}
    ours = next(iter(ends.values()))
    unfair = _not_done(kill, schedule, ours) if ours.is_unsaid else _unfair(kill, ends)
    return unfair or _on_the_wrong_one(kill, schedule, ours)


def _not_done(kill: ToKill, schedule: Schedule, ours: Ended) -> Verdict:
    """A command cannot be done on our right Raft: on none, or on none but the wrong one."""
    wrong = played(schedule.text(), kill.raft)
    is_near = _NO_MESSAGE in str(ours.sentence) and (wrong.sentence is None or wrong.number > ours.number)
    found, section = (f"{_at(ours)}. {_NEAR}", _MAY_EXPECT) if is_near else (_at(ours), _LANGUAGE)
    return Verdict(Worth.NOTHING, CAN_BE_DONE, f"`{kill.file}` can be played on a right Raft", found, section, ours.story)


def _unfair(kill: ToKill, ends: Mapping[str, Ended]) -> Verdict | None:
    """A right Raft fails in it, or it does not fit enough of them."""
    for name, end in ends.items():
        if end.sentence is not None and not end.is_unsaid:
            advice = _advice(end, is_ours=end is next(iter(ends.values())))
            expected, found = f"no right Raft fails in `{kill.file}`", f"a right one ({name}) does: {_at(end)}. {advice}"
            return Verdict(Worth.NOTHING, RIGHT_LIVE, expected, found, _MAY_EXPECT, end.story)
    left_out = {name: end for name, end in ends.items() if end.is_unsaid}
    if len(ends) - len(left_out) >= LIVING_MIN:
        return None
    expected = f"at least {LIVING_MIN} of {len(ends)} right Rafts come to the end of `{kill.file}`"
    found = "; ".join(f"{name.partition(',')[0]}: {_at(end)}" for name, end in left_out.items())
    return Verdict(Worth.NOTHING, RIGHT_LIVE, expected, f"{found}. {_FITS}", _MAY_EXPECT, next(iter(left_out.values())).story)


def _advice(end: Ended, *, is_ours: bool) -> str:
    if not end.line.startswith("expect"):
        return "What no Raft can keep is no promise: the schedule asks for the impossible"
    return "So no rule asks for it, or what comes before it is not what you think" if is_ours else _CHOICE


def _on_the_wrong_one(kill: ToKill, schedule: Schedule, ours: Ended) -> Verdict:
    costs = schedule.costs
    asked = played(schedule.text(), kill.raft)
    is_unmet = asked.sentence is not None and asked.line.startswith("expect")
    bare = played(schedule.text(with_expectations=False), kill.raft) if is_unmet else asked
    if bare.broken is not None and bare.broken.section:
        broken = bare.broken
        found = f"{broken.found} ({_where(bare)})"
        told = (broken.promise, broken.expected, found, broken.section, bare.story)
        return Verdict(Worth.KILLS, *told, costs)
    if is_unmet:
        told = (KILLS, f"`{kill.name}` breaks a promise", f"{_at(asked)}. {_GO_ON}", _KILLED, asked.story)
        return Verdict(Worth.TELLS_APART, *told, costs)
    found = _lives(asked, ours) if asked.sentence is None else f"the schedule ends too early on it: {_at(asked)}"
    expected = f"`{kill.file}` goes wrong with `{kill.name}`, and with no right Raft"
    return Verdict(Worth.LIVES, TELLS_APART, expected, found, _KILLED, asked.story, costs)


def _lives(wrong: Ended, ours: Ended) -> str:
    """Whether the schedule comes near to what is wrong."""
    at = next((at for at, (one, other) in enumerate(zip(wrong.story, ours.story, strict=False)) if one != other), None)
    if at is None:
        return "it lives, and all that it does a right Raft does, too: the schedule does not come to what is wrong with it"
    return f"it lives, although it acts otherwise than a right Raft from {_command_at(wrong.story, at)} on: there you are near"


def _command_at(story: Sequence[str], at: int) -> str:
    """Which command a line of a story comes of."""
    found = next(
        (match for told in reversed(story[: at + 1]) if (match := re.fullmatch(r" *(\d+): (.*)", told)) is not None), None
    )
    return f"line {found[1]}, `{found[2]}`" if found is not None else "the beginning"


def _where(end: Ended) -> str:
    return f"line {end.number}, `{end.line}`"


def _at(end: Ended) -> str:
    """The command that it ended with, and why."""
    why = str(end.sentence).removeprefix(f"line {end.number}, {end.line!r}")
    why = f"it cannot be done: {why.removeprefix(NOT_DONE)}" if end.is_unsaid else why.removeprefix(": ")
    return f"{_where(end)}: {why}"
