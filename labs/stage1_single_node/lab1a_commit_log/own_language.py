"""The language of a student's own schedules: plain text, so that nothing of a student's runs where it is judged.

    schedule a name of your own                # what is behind a # is for people
    append LABEL [of N bytes]                  a group of one entry behind the last; not carried out yet
    carry out [N]                              the oldest N appends, or all: written, synced, and the log is told
    mark                                       `note_durable`
    kill [after N operations]                  the process ends, and the log is opened anew
    lose power [after N operations] [keep ...] the same, and of what was not synced is left what is kept:
        keep nothing (if nothing is said) | keep all | keep first N bytes | keep sectors N N ...
    expect LABEL                               the entry is in the log that was opened
    expect not LABEL                           it is not
    expect the same                            the log holds what was durable before, all of it, and nothing else

`after N operations`: so many of the operations that wait are carried out before it happens.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["LineError", "Schedule", "Step", "parsed"]

_SCHEDULES_MAX, _STEPS_MAX, _BYTES_MAX, _NUMBER_MAX = 12, 40, 4000, 999
_AFTER = r"(?: after (?P<operations>\d{1,3}) operations?)?"
_LABEL = r"(?P<label>[a-z][a-z0-9_]{0,19})"
_NAME_CHARS_MAX = 60
_A_LABEL = "a LABEL is one word of small letters, digits and `_`, of 20 at most, and begins with a letter"
_LINES = {
    "append": re.compile(rf"append {_LABEL}(?: of (?P<size>\d{{1,4}}) bytes?)?"),
    "carry out": re.compile(r"carry out(?: (?P<count>\d{1,3}))?"),
    "mark": re.compile(r"mark"),
    "kill": re.compile(rf"kill{_AFTER}"),
    "lose power": re.compile(
        rf"lose power{_AFTER}(?:,? keep (?P<keep>nothing|all|first \d{{1,4}} bytes?|sectors? \d{{1,3}}(?: \d{{1,3}})*))?"
    ),
    "expect the same": re.compile(r"expect the same"),
    "expect not": re.compile(rf"expect not {_LABEL}"),
    "expect": re.compile(rf"expect {_LABEL}"),
}


_CRASH = "[after N operations]"
_FORMS = {
    "append": f"`append LABEL` or `append LABEL of N bytes`; {_A_LABEL}",
    "carry out": "`carry out` or `carry out N`",
    "mark": "`mark`",
    "kill": f"`kill {_CRASH}`",
    "lose power": f"`lose power {_CRASH} [keep nothing | keep all | keep first N bytes | keep sectors N N ...]`",
    "expect": f"`expect LABEL`, `expect not LABEL` or `expect the same`; {_A_LABEL}",
}
"""How a step is written, by what it begins with; `[...]` may be left out."""


class LineError(Exception):
    """A line that says nothing. number: from 1."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"line {number}: {why}")
        self.number = number


class Step(NamedTuple):
    """number: of its line. amount: of appends, or of operations; None when nothing is said of it."""

    number: int
    text: str
    verb: str
    label: str = ""
    size_bytes: int = 12
    amount: int | None = None
    keep: str = "nothing"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule. It ends with what is expected, or expects something on its way."""

    name: str
    steps: tuple[Step, ...]


def parsed(text: str) -> tuple[Schedule, ...]:
    """All schedules of a file. Raises: LineError."""
    found: list[tuple[int, str, list[Step]]] = []
    for number, line in enumerate(text.split("\n"), 1):
        said = " ".join(line.partition("#")[0].split())
        if said.startswith("schedule "):
            name = said.removeprefix("schedule ")
            found.append((number, name if len(name) <= _NAME_CHARS_MAX else f"{name[: _NAME_CHARS_MAX - 1]}…", []))
        elif said and not found:
            raise LineError(number, f"a schedule begins with `schedule NAME`, not with {said[:40]!r}")
        elif said:
            found[-1][2].append(_step(number, said))
        if len(found) > _SCHEDULES_MAX or (found and len(found[-1][2]) > _STEPS_MAX):
            raise LineError(number, f"there are more than {_SCHEDULES_MAX} schedules, or one has more than {_STEPS_MAX} steps")
    for number, name, steps in found:
        _check(number, name, steps)
    return tuple(Schedule(name, tuple(steps)) for _, name, steps in found)


def _step(number: int, said: str) -> Step:
    for verb, pattern in _LINES.items():
        if (match := pattern.fullmatch(said)) is not None:
            named = match.groupdict()
            count = named.get("count") or named.get("operations")
            size = int(named.get("size") or 12)
            if not 1 <= size <= _BYTES_MAX:
                raise LineError(number, f"an entry has 1 to {_BYTES_MAX} bytes")
            return Step(
                number, said, verb, named.get("label") or "", size,
                None if count is None else int(count), re.sub("^sector ", "sectors ", named.get("keep") or "nothing"),
            )  # fmt: skip
    form = next((f"; it is written {form}" for verb, form in _FORMS.items() if said.startswith(verb)), "")
    raise LineError(number, f"{said[:60]!r} is none of the steps that a schedule is made of{form}")


def _check(number: int, name: str, steps: list[Step]) -> None:
    """What is expected was appended, behind an opening; labels are used once."""
    labels: set[str] = set()
    is_opened = False
    for step in steps:
        if step.verb == "append" and step.label in labels:
            raise LineError(step.number, f"{step.label} is appended a second time; give it a name of its own")
        if step.verb == "append":
            labels.add(step.label)
        is_opened = is_opened or step.verb in ("kill", "lose power")
        if step.verb.startswith("expect") and not is_opened:
            raise LineError(step.number, "nothing can be expected before the log was opened again: `kill` or `lose power`")
        if step.verb.startswith("expect") and step.label and step.label not in labels:
            raise LineError(step.number, f"{step.label} was never appended")
    if not any(step.verb.startswith("expect") for step in steps):
        raise LineError(number, f"the schedule {name!r} expects nothing, so it proves nothing")
