"""That a replaced Raft gives one vote a term, only to a log that lacks nothing, and leads only when a quorum voted for it.

Two leaders of one term are the end of a group: each has entries of that term committed, and a right node that hears of both can
only stop. So it is looked at where it begins, at the node whose Raft it is. Paper: Raft, sections 5.2 and 5.4.1.
"""

from collections.abc import Iterable
from typing import Any

from mq.core.ids import EntryId, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendRequest, Message, SnapshotRequest, TimeoutNow, VoteReply, VoteRequest
from mq.raft.output import Output
from mq.raft.role import Role
from mq.server.by_log import ByLog
from mq.server.organ_looks import OrganError

__all__ = ["check_voting"]


class _Known:
    """Of one node. term: of the votes that it got, by whom: `voters`. won: the newest term that it leads by right.

    given: to whom it gave its vote, by term, as far as it said so. configuration: as it was behind the last call.
    """

    __slots__ = ("configuration", "given", "term", "voters", "won")

    def __init__(self) -> None:
        self.term = self.won = 0
        self.voters: set[int] = set()
        self.given: dict[int, int] = {}
        self.configuration: Configuration | None = None


_known = ByLog(lambda _node: _Known())


def check_voting(name: str, what: str, node: Any, arguments: tuple[Any, ...], found: Output) -> None:
    """Of what a call returned. Raises: OrganError."""
    known = _known.of(node)
    message = arguments[0] if name == "step" else None
    if isinstance(message, VoteReply) and message.is_granted and not message.is_pre_vote:
        if message.term > known.term:
            known.term, known.voters = message.term, set()
        if message.term == known.term:
            known.voters.add(message.sender)
    said = (*found.send, *(later for _, later in found.send_after))
    for reply in said:
        if isinstance(reply, VoteReply) and reply.is_granted and not reply.is_pre_vote:
            _check_given(what, node, known, reply, message)
    for term in _led(said, found):
        if term > known.won:
            _check_won(what, node, known, term)
    known.configuration = node.configuration


def _check_given(what: str, node: Any, known: _Known, reply: VoteReply, asked: Message | None) -> None:
    storage = node.log.storage
    before = known.given.setdefault(reply.term, reply.to)
    kept = storage.hard_state
    if before == reply.to and kept.term == reply.term and kept.vote is not None:
        before = kept.vote
    if before != reply.to:
        raise OrganError(f"{what} gives node {reply.to} its vote in term {reply.term}, and node {before} has it")
    if kept.term < reply.term or (kept.term == reply.term and kept.vote is None):
        raise OrganError(f"{what} gives node {reply.to} its vote in term {reply.term}, and its log was not told to keep that")
    if isinstance(asked, VoteRequest) and (asked.sender, asked.term) == (reply.to, reply.term):
        last = EntryId(storage.term_at(storage.last_index) or Term(0), storage.last_index)
        if asked.last < last:
            raise OrganError(
                f"{what} gives node {reply.to} its vote, whose log ends with entry {asked.last.index} of term {asked.last.term}; "
                f"its own ends with {last.index} of term {last.term}, which may be committed and would be lost"
            )


def _led(said: Iterable[Message], found: Output) -> Iterable[int]:
    """Terms in which it speaks as their leader."""
    yield from (change.term for change in found.changes if change.role is Role.LEADER)
    yield from (message.term for message in said if isinstance(message, AppendRequest | SnapshotRequest | TimeoutNow))


def _check_won(what: str, node: Any, known: _Known, term: int) -> None:
    kept = node.log.storage.hard_state
    voters = set(known.voters) if known.term == term else set()
    if (kept.term, kept.vote) == (term, node.node_id):
        voters.add(node.node_id)
    configurations = [one for one in (known.configuration, node.configuration) if one is not None]
    if not any(one.has_quorum(voters.__contains__) for one in configurations):
        given = ", ".join(f"node {voter}" for voter in sorted(voters)) or "nobody"
        raise OrganError(
            f"{what} leads term {term}, and of the voters {list(node.configuration.voters)} it has the votes of {given}"
        )
    known.won = term
