"""What the sentences of lab 3b share: a leader and what it sends, a follower and what it answers."""

from collections.abc import Sequence
from typing import Any

from labs.stage3_raft.lab3b_replication.model import PlayedFollower
from labs.stage3_raft.lone import NOWHERE, Bench, Lone, of_kind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendReply, AppendRequest, Message

__all__ = [
    "BEAT", "FIGURE_7", "FIGURE_7_LEADER", "PATIENT", "TICKS", "answer_of", "committed", "converse", "first_to_each", "holds",
    "leading", "rejected_by", "repaired", "requests_to", "soon", "under_way",
]  # fmt: skip

TICKS, BEAT = 10, 2
"""The shortest time-out of these tests, and from one round of heartbeats to the next."""
PATIENT: dict[str, Any] = {"election_ticks": 1000}
"""Options of those that look at a leader for long: nobody's time is over, and no quorum is counted."""
FIGURE_7_LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
FIGURE_7 = (
    ("a", [1, 1, 1, 4, 4, 5, 5, 6, 6]),
    ("b", [1, 1, 1, 4]),
    ("c", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]),
    ("d", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]),
    ("e", [1, 1, 1, 4, 4, 4, 4]),
    ("f", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]),
)
"""Terms of the entries of the leader and of the followers in the paper's figure 7."""
_MESSAGES_MAX, _ROUNDS_MAX = 200, 20


def holds(bench: Bench, node: Lone, terms: Sequence[int], *, because: str) -> None:
    """Raises: PromiseBrokenError."""
    found = node.terms
    bench.see(found == list(terms), f"{because}: its log has entries of terms {list(terms)}", f"it has terms {found}")


def committed(bench: Bench, node: Lone, index: int, *, because: str) -> None:
    """All up to there, and no more. Raises: PromiseBrokenError."""
    found = node.node.commit_index
    wanted = f"entry {index} is the last committed one" if index else "nothing is committed"
    bench.see(found == index, f"{because}: {wanted}", f"its commit index is {found}")


# --- a leader


def leading(bench: Bench, voters: int | Sequence[int] = 3, terms: Sequence[int] = (), **options: Any) -> Lone:
    """A leader whose followers have all that it has, its first entry of this term as well."""
    node = bench.lone(voters, terms, **options)
    node.lead()
    last = node.member.log.last_index
    node.hear(*(node.matched_by(follower, last) for follower in node.others))
    return node


def requests_to(sent: Sequence[Message], follower: int) -> list[AppendRequest]:
    """Of a leader."""
    return [request for request in of_kind(sent, AppendRequest) if request.to == follower]


def rejected_by(node: Lone, follower: int, rejected: int, hint: EntryId = NOWHERE) -> AppendReply:
    """It lacks entry `rejected`, or has another one there; nothing behind `hint` can agree."""
    return AppendReply(follower, 1, Term(node.node.term), False, LogIndex(0), LogIndex(rejected), hint, 0)  # noqa: FBT003


def converse(node: Lone, follower: PlayedFollower, sent: Sequence[Message]) -> list[AppendRequest]:
    """The follower answers all that it is sent, until it is sent no more. Returns the requests with entries."""
    waiting, heard = requests_to(sent, follower.node_id), list[AppendRequest]()
    for _ in range(_MESSAGES_MAX):
        if not waiting:
            break
        request = waiting.pop(0)
        heard += [request] if request.entries else []
        waiting += requests_to(node.hear(follower.answer(request)), follower.node_id)
    return heard


def repaired(node: Lone, follower: PlayedFollower, sent: Sequence[Message]) -> list[AppendRequest]:
    """As `converse`; where that leaves something to be done it is given some rounds of heartbeats."""
    heard = converse(node, follower, sent)
    for _ in range(_ROUNDS_MAX):
        if follower.terms == node.terms:
            break
        heard += converse(node, follower, node.tick(BEAT))
    return heard


def under_way(node: Lone) -> list[Message]:
    """All that it has sent since it was last asked to do something."""
    return [flight.message for flight in node.group.flights]


def soon(node: Lone, sent: Sequence[Message]) -> dict[int, list[AppendRequest]]:
    """The requests with entries, by follower: at once and, where one gets none, in the next two rounds of heartbeats."""
    found: dict[int, list[AppendRequest]] = {follower: [] for follower in node.others}
    for number in range(3):
        more = node.tick(BEAT) if number else sent
        for follower, requests in found.items():
            requests += [request for request in requests_to(more, follower) if request.entries]
        if all(found.values()):
            break
    return found


def first_to_each(node: Lone, sent: Sequence[Message], terms: Sequence[int]) -> dict[int, list[AppendRequest]]:
    """As `soon`; followers with such logs answer a leader that asks them without entries first."""
    found = soon(node, sent)
    for follower in [follower for follower, requests in found.items() if not requests]:
        found[follower] = converse(node, PlayedFollower(follower, terms), node.tick(BEAT))
    return found


# --- a follower


def answer_of(bench: Bench, sent: Sequence[Message], to: int = 2) -> AppendReply:
    """The last answer to a leader: those to several requests may be one. Raises: PromiseBrokenError."""
    replies = [reply for reply in of_kind(sent, AppendReply) if reply.to == to]
    bench.see(bool(replies), f"the request of node {to} is answered", "no answer was sent")
    return replies[-1]
