"""What a lab's tests are made of: promises, cases that try them, and what a run tells.

A suite is written once, against the organ's port, and runs over whatever `make` makes: the class itself, in this
process, or a student's
class in another one. It asks for nothing but the port and judges by what comes back alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.grader.figure import Figure
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from mq.sim.disk import SimDisk

__all__ = ["Case", "Check", "PromiseBrokenError", "Run", "Suite", "rule"]


class PromiseBrokenError(Exception):
    """What was found contradicts a promise.

    promise: one sentence. expected, found: the two facts that conflict; are_facts: both happened, one after the other. section:
    where to read. disks: (heading, disk) to be drawn.
    """

    def __init__(
        self,
        promise: str,
        *,
        expected: str,
        found: str,
        section: str,
        disks: Sequence[tuple[str, SimDisk]] = (),
        are_facts: bool = False,
    ) -> None:
        super().__init__(f"{promise}: {expected}, but {found}")
        self.promise, self.expected, self.found, self.section = promise, expected, found, section
        self.disks, self.are_facts = tuple(disks), are_facts


@dataclass(slots=True)
class Run:
    """What one case tells of itself as it goes. met: what it met, by name; story: what was done, one line each.

    disks: (heading, disk) as they are now, for an error that brings none along. figure: what a failure is shown by, where there
    are none. printed: the end of what the student's code printed; it is known when a replay is over.
    """

    met: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    disks: list[tuple[str, SimDisk]] = field(default_factory=list)
    texts: Mapping[str, str] = field(default_factory=dict)
    """Text files that were handed in, by name."""
    figure: Figure | None = None
    printed: str = ""

    def tell(self, line: str) -> None:
        """The next thing that is done."""
        self.story.append(line)


@dataclass(frozen=True, slots=True)
class Case:
    """One try. key: names it within its check, such as a seed. steps: some of them may be left out to make it smaller.

    play: does the steps with organs that `make` makes. Raises: PromiseBrokenError, and what the organ raises.
    is_apart: it asks nothing of the student's code.
    """

    key: str
    steps: tuple[Any, ...]
    play: Callable[[Make, tuple[Any, ...], Run], None]
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One test. number: such as "1.3": ring and place in it. section: where its rule stands. points: for passing.

    by_seed: makes the case of a seed, for tests that have seeds. sweep: so many more seeds are run inside the student's process,
    where they can only fail it.
    must_meet: how often its cases together must at least have met something; else they proved nothing.
    """

    number: str
    name: str
    section: str
    cases: Callable[[Seeds], Sequence[Case]]
    by_seed: Callable[[int], Case] | None = None
    points: int = 1
    sweep: int = 0
    must_meet: Mapping[str, int] = field(default_factory=dict)

    @property
    def ring(self) -> int:
        """1: sentences, 2: seeded schedules, 3: a search, 4: tests that the student wrote."""
        return int(self.number.split(".")[0])

    def case(self, key: str) -> Case | None:
        """One that has this key: a scripted one by its name, any other by its seed."""
        scripted = next((case for case in self.cases(Seeds()) if case.key == key), None)
        if scripted is None and self.by_seed is not None and key.isascii() and key.isdigit():
            return self.by_seed(int(key))
        return scripted


@dataclass(frozen=True, slots=True)
class Suite:
    """All tests of a lab, in the order in which they are run.

    sweep_module: where SWEEP holds those tests that are also run inside the student's process; it must not need the reference.
    """

    checks: tuple[Check, ...]
    sweep_module: str = ""

    def check(self, number: str) -> Check | None:
        """By its number."""
        return next((check for check in self.checks if check.number == number), None)


def rule(number: int) -> str:
    """Where a rule of a lab stands."""
    return f"README, rule {number}"
