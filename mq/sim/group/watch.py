"""How checkers are told what happens, at no cost for what a checker does not care about.

Checkers know what an observer with X-ray eyes knows: each node's view of itself, and the truth about each disk.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mq.core.entry import Entry
from mq.raft.messages import Message, Snapshot
from mq.sim.checkers import BrokenPromiseError
from mq.sim.group.light_log import Group

if TYPE_CHECKING:
    from mq.sim.group.host import Host

__all__ = ["Calls", "Checker", "Violation", "ViolationError", "Watch", "of_term"]


Calls: TypeAlias = tuple[Callable[..., Any], ...]
"""What the checkers are told of one kind of event with."""


class Violation(NamedTuple):
    """A broken promise. promise: in one sentence; facts: the two that conflict; section: of the paper; step: of the run."""

    promise: str
    facts: tuple[str, str]
    section: str
    step: int = 0
    at_ms: int = 0

    def to_text(self) -> str:
        """For people."""
        lines = (f"broken: {self.promise}", f"  fact 1: {self.facts[0]}", f"  fact 2: {self.facts[1]}")
        return "\n".join([*lines, f"  source: {self.section}", f"  at step {self.step}, {self.at_ms} ms of virtual time"])


class ViolationError(BrokenPromiseError):
    """What must never happen did. story: the last lines of the trace, and how to repeat the run."""

    def __init__(self, violation: Violation, story: str = "") -> None:
        super().__init__(violation.promise, "; ".join(violation.facts) + story)
        self.violation, self.story = violation, story

    def __str__(self) -> str:
        return self.violation.to_text() + self.story


def of_term(term: int | None) -> str:
    """What a log has in a place, for people. term: None where it has nothing."""
    return "nothing" if term is None else f"an entry of term {term}"


class Checker:
    """One promise, and where it comes from. A checker overrides what it has to know."""

    promise = ""
    section = ""

    def started(self, host: "Host") -> None:
        """A node was made from what its disk holds."""

    def appended(self, host: "Host", group: Group) -> None:
        """A group was put into the log, in memory."""

    def moved(self, host: "Host") -> None:
        """Term, vote or role changed: `host.term` and so on are as before, `host.node.term` and so on as they are now."""

    def committed(self, host: "Host", before: int, index: int) -> None:
        """The node knows entries behind `before` to be committed up to `index`."""

    def applied(self, host: "Host", entry: Entry, checksum: int) -> None:
        """The state machine took an entry; checksum: of its state now."""

    def installed(self, host: "Host", index: int, checksum: int) -> None:
        """A snapshot became the state machine's state."""

    def saved_snapshot(self, host: "Host", index: int) -> None:
        """A snapshot that the node took is durable."""

    def has_snapshot(self, host: "Host", snapshot: Snapshot, index: int) -> None:
        """A snapshot, taken or received, is durable. index: of the state in it."""

    def leaves(self, host: "Host", message: Message) -> None:
        """A message leaves the node."""

    def proposes(self, body: bytes) -> None:
        """A client asks for a command."""

    def done(self, body: bytes, index: int, term: int) -> None:
        """A client was told that its command is committed and applied."""

    def answered(self, request: str, floor: int, index: int) -> None:
        """A read was answered with the state behind `index`; floor: what any client knew of when it was asked."""

    def ends(self, hosts: tuple["Host", ...]) -> None:
        """The run is over: everything is healed and has come to rest. hosts: of the members."""

    def fail(self, one: str, other: str) -> None:
        """Raises: ViolationError with the two facts that conflict."""
        raise ViolationError(Violation(self.promise, (one, other), self.section))


class Watch:
    """Lists of what is to be called: one for each event, holding the checkers that care."""

    __slots__ = (
        "answered",
        "appended",
        "applied",
        "checkers",
        "committed",
        "done",
        "ends",
        "has_snapshot",
        "installed",
        "leaves",
        "moved",
        "proposes",
        "saved_snapshot", "started",
    )  # fmt: skip
    answered: Calls
    applied: Calls
    appended: Calls
    committed: Calls
    done: Calls
    ends: Calls
    has_snapshot: Calls
    installed: Calls
    leaves: Calls
    moved: Calls
    proposes: Calls
    saved_snapshot: Calls
    started: Calls

    def __init__(self, checkers: list[Checker]) -> None:
        self.checkers = checkers
        for name in self.__slots__:
            if name != "checkers":
                setattr(self, name, self._who_cares(name))

    def _who_cares(self, name: str) -> Calls:
        ignored = getattr(Checker, name)
        return tuple(getattr(checker, name) for checker in self.checkers if getattr(type(checker), name) is not ignored)
