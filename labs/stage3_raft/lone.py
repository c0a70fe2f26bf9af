"""One node of a student's, number 1, and a test that plays all others; and a group that is moved by hand.

Both are `mq.sim.hand.group.HandGroup`, which transcripts are played on: what happens is told in its words, and recorded, so that
a failure has a picture.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, SupportsIndex, TypeVar, overload

from labs.grader.seams import Make
from labs.grader.suite import PromiseBrokenError
from labs.stage3_raft.pictures import GroupPicture
from labs.stage3_raft.recorded import RecordedGroup
from labs.stage3_raft.remote import raft_made_by
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, Message, VoteReply, VoteRequest
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.member import Member

__all__ = ["NOWHERE", "Bench", "Lone", "Told", "command", "entry_id", "is_in", "of_kind"]

_ANEW = "--- once more, with nodes that are new:"
"""Between two stories of one sentence: the times begin anew as well."""
_TICKS_MAX = 200
"""Longer than any time-out."""
_M = TypeVar("_M", bound=Message)


def entry_id(index: int, term: int) -> EntryId:
    """The name of an entry."""
    return EntryId(Term(term), LogIndex(index))


NOWHERE = entry_id(0, 0)
"""Before the first entry."""


def command(index: int, term: int, payload: bytes = b"x") -> Entry:
    """An entry with something of a client's."""
    return Entry(LogIndex(index), Term(term), EntryKind.COMMAND, payload)


def of_kind(messages: Sequence[Message], kind: type[_M]) -> list[_M]:
    """Those of one kind."""
    return [message for message in messages if isinstance(message, kind)]


class Told(list[str]):
    """What was told, in order. In a sentence it stands as words, and so does a part of it."""

    @overload
    def __getitem__(self, at: SupportsIndex, /) -> str: ...

    @overload
    def __getitem__(self, at: slice, /) -> "Told": ...

    def __getitem__(self, at: SupportsIndex | slice, /) -> "str | Told":
        return Told(super().__getitem__(at)) if isinstance(at, slice) else super().__getitem__(at)

    def __str__(self) -> str:
        return ", then ".join(self)


class Bench:
    """What a sentence works with. Pre-vote and check-quorum are off unless they are set."""

    def __init__(self, make: Make, promise: str, section: str) -> None:
        self._make, self._groups = raft_made_by(make), list[RecordedGroup]()
        self.promise, self.section = promise, section

    def group(
        self,
        voters: int | Sequence[int] = 3,
        logs: dict[int, list[int]] | None = None,
        *,
        learners: Sequence[int] = (),
        lone: int = 0,
        seed: int | None = None,
        **options: Any,
    ) -> RecordedGroup:
        """voters: how many, from node 1 on, or which. logs: terms of the entries that each begins with.

        lone: see `RecordedGroup`. seed: time-outs are drawn by it; without one each is the shortest.
        """
        settings = RaftOptions(**{"has_pre_vote": False, "has_check_quorum": False, **options})
        ids = range(1, voters + 1) if isinstance(voters, int) else voters
        make: Any = self._make if seed is None else _drawing(self._make, seed)
        made = RecordedGroup(ids, learners, options=settings, raft_class=make, lone=lone)
        for node_id, terms in (logs or {}).items():
            made.give_log(node_id, terms)
        self._groups.append(made)
        return made

    def lone(
        self,
        voters: int | Sequence[int] = 3,
        terms: Sequence[int] = (),
        *,
        term: int | None = None,
        vote: int | None = None,
        **options: Any,
    ) -> "Lone":
        """Node 1 of these. terms: of the entries in its log; term, vote: what it remembers. options: those of `group`, too."""
        return Lone(self.group(voters, lone=1, **options), terms, term, vote)

    def time_outs(self, count: int) -> list[int]:
        """How many ticks a node waits before each of so many campaigns, which nobody answers."""
        node = self._make(
            1, HandLog(), Random(7), options=RaftOptions(has_pre_vote=False), configuration=Configuration.of(1, 2, 3)
        )
        spans: list[int] = []
        ticks = 0
        while len(spans) < count and ticks < _TICKS_MAX:
            term, ticks = node.term, ticks + 1
            output = node.tick()
            for save in output.saves:
                node.saved(save.sequence)
            if node.term > term:
                spans.append(ticks)
                ticks = 0
        self.see(len(spans) == count, f"it campaigns again when nobody answers, {count} times", f"it did so {len(spans)} times")
        return spans

    def told(self, *, is_broken: bool = False) -> list[str]:
        """What happened, line by line, with the times of the picture. is_broken: in the last group alone, where it broke."""
        stories = [lines for group in self._groups if (lines := group.timed_lines())]
        if is_broken:
            return stories[-1] if stories else []
        return [line for number, story in enumerate(stories) for line in ([_ANEW] * (number > 0) + story)]

    def picture(self, promise: str = "", facts: tuple[str, ...] = ()) -> GroupPicture | None:
        """Of the last group in which anything happened. promise, facts: what broke in it, if that is known."""
        if not self._groups:
            return None
        group = self._groups[-1]
        group.settle()
        others = "the others are played by the test" if group.lone else "all nodes are yours, moved by hand"
        title, framed = f"{'n1 is yours, ' if group.lone else ''}{others}", (f"n{group.lone}",) if group.lone else ()
        return GroupPicture(group.trace.events, title, promise, facts, framed)

    def see(self, is_so: bool, expected: str, found: object) -> None:  # noqa: FBT001 - what is seen
        """Raises: PromiseBrokenError when it is not so."""
        if not is_so:
            raise PromiseBrokenError(self.promise, expected=expected, found=str(found), section=self.section)


def _drawing(make: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """Nodes as `make` makes them, each with a chance of its own."""

    def made(node_id: int, log: HandLog, _chance: object, **settings: Any) -> Any:
        return make(node_id, log, Random(seed), **settings)

    return made


class Lone:
    """See the module."""

    def __init__(self, group: RecordedGroup, terms: Sequence[int], term: int | None, vote: int | None) -> None:
        self.group = group
        if terms or term is not None:
            group.give_log(1, terms, term=term, vote=vote)

    @property
    def member(self) -> Member:
        """Its host."""
        return self.group.members[1]

    @property
    def node(self) -> Any:
        """What it shows of itself."""
        return self.group.node(1)

    @property
    def role(self) -> Role:
        """As it is now."""
        role: Role = self.node.role
        return role

    @property
    def roles_told(self) -> list[str]:
        """What its host was told of its role so far: `candidate in term 3`."""
        return Told(self.group.told_of(1, "is"))

    @property
    def terms(self) -> list[int]:
        """Of all entries in its log, be they durable or not."""
        log = self.member.log
        return [entry.term for entry in log.entries(1, log.last_index)]

    @property
    def others(self) -> list[int]:
        """All voters but it."""
        return [voter for voter in self.group.configuration.voters if voter != 1]

    # --- what happens to it; each returns what it sends

    def _sent(self) -> list[Message]:
        sent = [flight.message for flight in self.group.flights if flight.message.sender == 1]
        self.group.flights.clear()
        return sent

    def hear(self, *messages: Message) -> list[Message]:
        """Messages come."""
        self._sent()
        for message in messages:
            self.group.hear(1, message)
        return self._sent()

    def tick(self, count: int = 1) -> list[Message]:
        """Time passes."""
        self._sent()
        self.group.wait(1, count)
        return self._sent()

    def save(self) -> list[Message]:
        """Its disk is done with all that waits."""
        self._sent()
        self.group.save_all(1)
        return self._sent()

    def campaign(self) -> list[Message]:
        """Its time-out is over."""
        self._sent()
        self.group.campaign(1)
        return self._sent()

    def lead(self) -> list[Message]:
        """It campaigns, and everyone votes for it."""
        self.campaign()
        return self.hear(*(self.vote_of(voter) for voter in self.others))

    def restart(self) -> None:
        """After the power failed."""
        self.group.crash(1, loses_unsaved=True)
        self.group.restart(1)

    # --- what the others say

    def vote_of(self, voter: int, *, is_granted: bool = True, term: int | None = None) -> VoteReply:
        """An answer to its request."""
        return VoteReply(voter, 1, Term(self.node.term if term is None else term), is_granted)

    def request_of(self, candidate: int, term: int, last: EntryId = NOWHERE, **more: bool) -> VoteRequest:
        """A candidate with a log that ends there asks for its vote."""
        return VoteRequest(candidate, 1, Term(term), last, **more)

    def append_of(
        self, term: int, previous: EntryId = NOWHERE, entries: Sequence[Entry] = (), *, commit: int = 0, leader: int = 2
    ) -> AppendRequest:
        """What the leader of that term sends."""
        return AppendRequest(leader, 1, Term(term), previous, tuple(entries), LogIndex(commit), 0)

    def matched_by(self, follower: int, index: int, *, term: int | None = None) -> AppendReply:
        """It has all up to there."""
        reply_term = Term(self.node.term if term is None else term)
        return AppendReply(follower, 1, reply_term, True, LogIndex(index), LogIndex(0), NOWHERE, 0)  # noqa: FBT003


def is_in(bench: Bench, node: Lone, role: Role, term: int, *, because: str) -> None:
    """Raises: PromiseBrokenError."""
    found = (node.role, node.node.term)
    bench.see(found == (role, term), f"{because}: it is a {role} in term {term}", f"it is a {found[0]} in term {found[1]}")
