"""One node, number 1, and a test that plays all others."""

from collections.abc import Sequence
from typing import TypeVar

from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendReply, AppendRequest, Message, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from mq.sim.hand.member import Member

__all__ = ["Lone", "command", "entry_id", "of_kind"]

_M = TypeVar("_M", bound=Message)
_NOWHERE = EntryId(Term(0), LogIndex(0))


def entry_id(index: int, term: int) -> EntryId:
    return EntryId(Term(term), LogIndex(index))


def command(index: int, term: int, payload: bytes = b"x") -> Entry:
    return Entry(LogIndex(index), Term(term), EntryKind.COMMAND, payload)


def of_kind(messages: Sequence[Message], kind: type[_M]) -> list[_M]:
    return [message for message in messages if isinstance(message, kind)]


class Lone:
    """settings: term and vote to begin with; whether its disk `is_manual`; everything else are options of the node.

    Pre-vote and check-quorum are off unless they are set.
    """

    def __init__(self, raft_class: type[RaftNode], voters: int, terms: list[int], settings: dict[str, object]) -> None:
        term, vote = settings.pop("term", None), settings.pop("vote", None)
        is_manual = bool(settings.pop("is_manual", False))
        options = RaftOptions(**{"has_pre_vote": False, "has_check_quorum": False, **settings})  # type: ignore[arg-type]
        self.group = HandGroup(range(1, voters + 1), options=options, raft_class=raft_class)
        if terms or term is not None:
            self.group.give_log(1, terms, term=term, vote=vote)  # type: ignore[arg-type]
        self.member.is_manual = is_manual

    @property
    def member(self) -> Member:
        return self.group.members[1]

    @property
    def node(self) -> RaftNode:
        return self.group.node(1)

    @property
    def role(self) -> Role:
        return self.node.role

    @property
    def terms(self) -> list[int]:
        """Of the log's entries."""
        return [entry.term for entry in self.member.log.entries(1, self.member.log.last_index)]

    def sent(self) -> list[Message]:
        """What it sent since the last time."""
        sent = [flight.message for flight in self.group.flights if flight.message.sender == 1]
        self.group.flights.clear()
        return sent

    def hear(self, *messages: Message) -> list[Message]:
        """What it sends in answer."""
        self.sent()
        for message in messages:
            self.member.call(lambda node, message=message: node.step(message))  # type: ignore[misc]
        return self.sent()

    def tick(self, count: int = 1) -> list[Message]:
        self.sent()
        self.group.tick(1, count)
        return self.sent()

    def save(self) -> list[Message]:
        """Its disk says yes to all that waits."""
        self.sent()
        self.group.save_all(1)
        return self.sent()

    def restart(self, *, loses_unsaved: bool = True) -> None:
        """After the power failed."""
        self.group.crash(1, loses_unsaved=loses_unsaved)
        self.group.restart(1)

    def campaign(self) -> list[Message]:
        self.sent()
        self.group.campaign(1)
        return self.sent()

    def lead(self) -> list[Message]:
        """It campaigns, and everyone votes for it; what it sends as a leader at once."""
        self.campaign()
        return self.hear(*(self.vote_of(voter) for voter in self.others()))

    def others(self) -> list[int]:
        return [voter for voter in self.group.configuration.voters if voter != 1]

    # --- what the others say

    def vote_of(self, voter: int, *, is_granted: bool = True, term: int | None = None) -> VoteReply:
        return VoteReply(voter, 1, Term(self.node.term if term is None else term), is_granted)

    def request_of(self, candidate: int, term: int, last: EntryId) -> VoteRequest:
        return VoteRequest(candidate, 1, Term(term), last)

    def append_of(
        self, term: int, previous: EntryId = _NOWHERE, entries: Sequence[Entry] = (), *, commit: int = 0, leader: int = 2
    ) -> AppendRequest:
        """What the leader of that term sends."""
        return AppendRequest(leader, 1, Term(term), previous, tuple(entries), LogIndex(commit), 0)

    def matched_by(self, follower: int, index: int, *, term: int | None = None, round: int = 0) -> AppendReply:  # noqa: A002
        """It has all up to there."""
        reply_term = Term(self.node.term if term is None else term)
        return AppendReply(follower, 1, reply_term, True, LogIndex(index), LogIndex(0), _NOWHERE, round)

    def rejected_by(self, follower: int, index: int, hint: EntryId) -> AppendReply:
        """It lacks the entry at that index, or has another."""
        return AppendReply(follower, 1, self.node.term, False, LogIndex(0), LogIndex(index), hint, 0)
