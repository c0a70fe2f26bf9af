"""A ticket machine, two callers, and a network between them that loses messages, and keeps copies back.

Callers do what people do: who gets no answer asks again, with the same number; who got one asks for something new. After each
request the machine is asked for `to_plain`, and a restart makes a new one of the last of these.
"""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from labs.grader.seams import Call, Make, at_once, made_by
from labs.grader.space_time import SpaceTime
from labs.grader.suite import PromiseBrokenError, Run
from labs.stage0_tools.lab0_tools.model import Book
from labs.stage0_tools.lab0_tools.rules import broken, shown

__all__ = ["CALLERS", "FATES", "Ask", "Given", "Late", "Restart", "Step", "World"]

CALLERS = ("anna", "ben")
MACHINE = "the machine"
FATES = ("arrives", "request lost", "answer lost", "copied")


class Given(NamedTuple):
    """An answer of the machine. row: of the story; label: of the message; is_lost: on its way."""

    row: int
    caller: str
    number: int
    ticket: int | None
    label: str
    is_lost: bool


class _Copy(NamedTuple):
    """A request that the network holds back. arrow: its place in the picture."""

    caller: str
    number: int
    label: str
    arrow: int


class World:
    """tickets: on the roll. held: tickets that reached a caller. given: all answers, in order."""

    def __init__(self, make: Make, run: Run, tickets: int = 6) -> None:
        self.make, self.run = make, run
        self.machine, self.book = make(tickets), Book(tickets)
        self.saved: Any = None
        self.picture = SpaceTime((CALLERS[0], MACHINE, CALLERS[1]), run.story)
        run.figure = self.picture
        self.numbers = dict.fromkeys(CALLERS, 1)
        self.is_waiting = dict.fromkeys(CALLERS, False)
        self.held: dict[str, list[int]] = {caller: [] for caller in CALLERS}
        self.copies: list[_Copy] = []
        self.given: list[Given] = []
        self.messages = 0
        self.restarts = 0

    def key(self) -> tuple[Any, ...]:
        """All that may matter later: two ways to the same state need not both be gone on from."""
        copies = tuple((copy.caller, copy.number) for copy in self.copies)
        return tuple(self.book.given.items()), tuple(self.numbers.items()), tuple(self.is_waiting.items()), copies, self.restarts

    # --- what can happen

    def ask(self, caller: str, fate: str) -> None:
        """A caller asks; what becomes of the request and of its answer is the network's affair."""
        number, label = self.numbers[caller], self._label()
        again = "got no answer and asks again" if self.is_waiting[caller] else "asks"
        self.is_waiting[caller] = True
        line = f"{caller} {again}, request {number}"
        if fate == "request lost":
            self.run.tell(f"{line}: {label} is lost")
            self.picture.arrow(label, caller, MACHINE, is_lost=True)
            self.run.met["requests lost"] += 1
            return
        self.run.tell(f"{line} ({label})")
        self.picture.arrow(label, caller, MACHINE)
        if fate == "copied":
            self.run.tell(f"the network keeps a copy of that (m{self.messages}')")
            self.copies.append(_Copy(caller, number, f"{label}'", self.picture.delayed(f"{label}'", caller, MACHINE)))
        self._answer(caller, number, is_lost=fate == "answer lost")

    def late(self, which: int) -> None:
        """A copy of a request arrives, long after the request itself."""
        if not self.copies:
            return
        copy = self.copies.pop(which % len(self.copies))
        self.run.tell(f"the copy of {copy.caller}'s request {copy.number} arrives ({copy.label})")
        self.picture.arrives(copy.arrow)
        self.run.met["old copies" if copy.number < self.book.newest(copy.caller) else "copies"] += 1
        self._answer(copy.caller, copy.number, is_lost=False)

    def restart(self) -> None:
        """The power goes, and comes back."""
        self.run.tell("the machine loses its power; a new one is made of what was written down")
        self.picture.mark(MACHINE, "restart", is_end=True)
        plain = self.saved if self.saved is not None else self._plain(self.machine.to_plain())
        self.machine = made_by(self.make, "from_plain", plain)
        self.restarts += 1
        self.run.met["restarts"] += 1
        self._check(5, self.machine.left(), "behind the restart")

    # --- the machine is asked, and judged

    def _answer(self, caller: str, number: int, *, is_lost: bool) -> None:
        of_rule, wanted = self.book.wanted(caller, number)
        first = next((one for one in self.given if (one.caller, one.number) == (caller, number)), None)
        found, left, plain = at_once(self.machine, [Call("take", (caller, number)), Call("left"), Call("to_plain")])
        self.saved = self._plain(plain)
        label = self._label()
        self.run.tell(f"the machine answers {caller}: {shown(found)}" + (f"; {label} is lost" if is_lost else f" ({label})"))
        self.picture.arrow(label, MACHINE, caller, is_lost=is_lost)
        self.given.append(Given(len(self.run.story), caller, number, found, label, is_lost))
        if found != wanted:
            raise self._broken(of_rule, caller, number, found, wanted, first)
        self.book.note(caller, number, found)
        self._count(of_rule, is_lost=is_lost)
        self._check(6, left, "now")
        self._hear(caller, number, found, is_lost=is_lost)

    def _count(self, of_rule: int, *, is_lost: bool) -> None:
        self.run.met["answers lost"] += is_lost
        self.run.met["repeats"] += of_rule == 2
        self.run.met["nothing left"] += of_rule == 4

    def _hear(self, caller: str, number: int, ticket: int | None, *, is_lost: bool) -> None:
        """The caller goes on, if it waited for this."""
        if is_lost or number != self.numbers[caller] or not self.is_waiting[caller]:
            return
        self.is_waiting[caller] = False
        self.numbers[caller] += 1
        self.held[caller] += [ticket] if ticket is not None else []

    def _broken(
        self, of_rule: int, caller: str, number: int, found: int | None, wanted: int | None, first: Given | None
    ) -> PromiseBrokenError:
        self.picture.wrong = len(self.run.story)
        what = f"{caller}'s request {number}"
        if of_rule == 2 and first is not None:
            return broken(2, expected=f"{what} got {shown(wanted)} in step {first.row}", found=f"now it got {shown(found)}")
        if of_rule == 3:
            newest = self.book.newest(caller)
            return broken(3, expected=f"{what} is old ({caller} is at {newest}) and gets nothing", found=f"it got {shown(found)}")
        if of_rule == 1 and self.restarts:
            of_rule = 5
        sold = f"{self.book.sold} of {self.book.tickets} tickets are gone"
        return broken(of_rule, expected=f"{what} is new, {sold}: it gets {shown(wanted)}", found=f"it got {shown(found)}")

    def _check(self, of_rule: int, left: int, when: str) -> None:
        wanted = self.book.tickets - self.book.sold
        if left != wanted:
            self.picture.wrong = len(self.run.story)
            expected = f"{self.book.sold} of {self.book.tickets} tickets are gone, {wanted} are left"
            raise broken(of_rule, expected=expected, found=f"{when} `left` is {left}")

    def _plain(self, plain: Any) -> Any:
        """As it comes back from where it was written down."""
        return json.loads(json.dumps(plain))

    def _label(self) -> str:
        self.messages += 1
        return f"m{self.messages}"


@dataclass(frozen=True, slots=True)
class Ask:
    """See `World.ask`."""

    caller: int
    fate: str = "arrives"

    def do(self, world: World) -> None:
        world.ask(CALLERS[self.caller], self.fate)


@dataclass(frozen=True, slots=True)
class Late:
    """See `World.late`."""

    which: int = 0

    def do(self, world: World) -> None:
        world.late(self.which)


@dataclass(frozen=True, slots=True)
class Restart:
    """See `World.restart`."""

    def do(self, world: World) -> None:
        world.restart()


Step = Ask | Late | Restart
