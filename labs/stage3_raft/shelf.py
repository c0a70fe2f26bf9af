"""Nodes that a search comes back to: a student's Raft on the other side of the border, of which copies are kept there.

A search stands at hundreds of states of a node, and goes on from any of them. So a call changes nothing that is kept: a copy
is made over there, the copy is called, and the copy is kept. Copy and call, with all that the call brings about, are one
crossing (`HostedRaft.turn`). How many are kept is up to the side here: one for each state that it still knows, none when a
search is over.

*Whom this trusts.* Nobody says over there which states are the same: two of them are one when all that the node showed, wrote and
sent is the same, and what it heard since it last became something else (`KeptNode`). A Raft that hides more than that is searched
less well than it could be, and that is all: before a promise is called broken, the schedule is played once more by nodes of which
no copy was ever made, and what does not break there does not count. Calls that were done ahead are taken one by one, each
when the host here asks for just that one. And for some of the states that were kept a fresh node does the same calls again,
with no copy in between: one that keeps something of itself elsewhere (in its class, in its module) answers otherwise there,
and is told so. Whoever takes the other side over can give any answers, here as in any schedule; if they are those of a right
Raft, he wrote one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from labs.grader.remote import OrganRaisedError, WrongTypeError
from labs.grader.seams import Make
from labs.stage3_raft.crossing import Did, Life, Turn
from labs.stage3_raft.inside import HostedRaft
from mq.core.errors import MqError
from mq.sim.explore.copying import ATOMS

__all__ = ["Differing", "Keeper", "Shelved", "StumbledError"]

_Called: TypeAlias = tuple[str, tuple[Any, ...]]


class StumbledError(RuntimeError):
    """A node did not come to the end of a call. cause: why, as it is told to the student."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Shelved:
    """A node over there. before, called: what it is a copy of, and the call that it did then; None of one that just began.

    answers: what came of it. To the search all of them are the same: states are told apart by what a node showed.
    """

    __slots__ = ("answers", "before", "called", "life", "organ")

    def __init__(self, organ: Any, life: Life, before: "Shelved | None", called: _Called | None, answers: Any) -> None:
        self.organ, self.life, self.before, self.called, self.answers = organ, life, before, called, answers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shelved)

    def __hash__(self) -> int:
        return 0

    def way(self) -> "list[Shelved]":
        """From the begin of its life to it."""
        found: list[Shelved] = []
        at: Shelved | None = self
        while at is not None:
            found.append(at)
            at = at.before
        return found[::-1]


ATOMS.add(Shelved)


class Differing(NamedTuple):
    """What a fresh node answers otherwise than the copies did. number: of the call in its life."""

    number: int
    name: str
    copies: Any
    fresh: Any


class Keeper:
    """Makes the nodes of a search. make: the student's class, here or elsewhere.

    is_disk_ready: what is planned is durable at once. is_living: no copies are made, a node lives through all that happens to
    it. is_lived_again: see `HostedRaft`. crossings: calls that were made so far.
    """

    def __init__(self, make: Make, *, is_disk_ready: bool = True, is_living: bool = False, is_lived_again: bool = False) -> None:
        self._make, self._is_disk_ready = make, is_disk_ready
        self._is_living, self._is_lived_again = is_living, is_lived_again
        self.crossings = 0
        self._numbers: dict[Any, int] = {}

    def begun(self, life: Life) -> tuple[Shelved, Did]:
        """A new node, and what it shows of itself. Raises: StumbledError."""
        self.crossings += 1
        organ = self._fresh(life)
        did = _tried(organ.begin)
        return Shelved(organ, life, None, None, did), did

    def called(self, shelved: Shelved, name: str, args: tuple[Any, ...]) -> tuple[Shelved, tuple[Turn, ...]]:
        """A copy that did the call, or the node itself where none are made, and what came of it. Raises: StumbledError."""
        self.crossings += 1
        organ = shelved.organ if self._is_living else self._copy(shelved.organ)
        turns = self._turn(organ, name, args)
        return (shelved if self._is_living else Shelved(organ, shelved.life, shelved, (name, args), turns)), turns

    def _turn(self, organ: Any, name: str, args: tuple[Any, ...]) -> tuple[Turn, ...]:
        return _tried(partial(organ.turn, name, args, is_disk_ready=self._is_disk_ready))  # type: ignore[no-any-return]  # its seam

    def _fresh(self, life: Life) -> Any:
        return HostedRaft(self._make, life) if isinstance(self._make, type) else self._make(life)

    def _copy(self, organ: Any) -> Any:
        if isinstance(organ, HostedRaft):
            return HostedRaft(self._make, organ, is_lived_again=self._is_lived_again)
        return self._make(organ, is_lived_again=self._is_lived_again)

    def number(self, called: _Called) -> int:
        """The same for equal calls."""
        name, args = called
        return self._numbers.setdefault((name, tuple(map(type, args)), args), len(self._numbers))

    def differing(self, shelved: Shelved) -> Differing | None:
        """What a fresh node answers otherwise when it does the same calls, with no copy in between. None: there is nothing.

        Raises: StumbledError.
        """
        begun, *rest = shelved.way()
        organ = self._fresh(begun.life)
        did = _tried(organ.begin)
        if did != begun.answers:
            return Differing(0, "begin", begun.answers, did)
        for number, one in enumerate(rest, 1):
            assert one.called is not None
            found = self._turn(organ, *one.called)
            if found != one.answers:
                return Differing(number, one.called[0], one.answers, found)
        return None


def _tried(call: Callable[[], Any]) -> Any:
    """What it returns. Raises: StumbledError for what a student is told of; what else may come ends the search."""
    try:
        return call()
    except (OrganRaisedError, WrongTypeError, MqError) as error:
        raise StumbledError(error) from error
