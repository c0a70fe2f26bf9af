"""What a Raft group promises, looked up in the nodes' own words and on their disks.

A search asks after each step. What a promise needs to know of the past is kept in `Past`, which is part of a state.
"""

from typing import NamedTuple

from mq.core.entry import Entry
from mq.raft.role import Role
from mq.raft.view import NodeView

__all__ = ["PROMISES", "Broken", "Look", "Past", "Promise"]


class Promise(NamedTuple):
    """In one sentence, and where the paper says so."""

    name: str
    sentence: str
    section: str


PROMISES: dict[str, Promise] = {
    promise.name: promise
    for promise in (
        Promise("election-safety", "At most one leader is elected in a term.", "Paper: Raft, section 5.2"),
        Promise("leader-completeness", "A leader has every entry that was committed in an earlier term.", "Paper: Raft, section 5.4.3"),
        Promise("log-matching", "Two logs that hold an entry of the same index and term are equal up to it.", "Paper: Raft, section 5.3"),
        Promise("state-machine-safety", "No two nodes ever apply different entries at the same index.", "Paper: Raft, section 5.4.3"),
        Promise("own-invariants", "A node never contradicts itself.", "Paper: Raft, figure 2"),
    )
}


class Broken(NamedTuple):
    """A promise that was broken, and how."""

    promise: str
    why: str


class Look(NamedTuple):
    """What others may see of a node. entries: of its log. applied: what went into its state machine since it started."""

    node_id: int
    role: Role
    term: int
    vote: int | None
    entries: tuple[Entry, ...]
    applied: tuple[Entry, ...]
    commit_index: int

    @classmethod
    def of(cls, view: NodeView, entries: tuple[Entry, ...], applied: tuple[Entry, ...]) -> "Look":
        """From a node's own view, its log and its state machine."""
        return cls(view.node_id, Role(view.role), view.term, view.vote, entries, applied, view.commit_index)


class Past(NamedTuple):
    """applied: each entry that any node ever applied, with the term of the node that was the first. leaders: (term, node)."""

    applied: tuple[tuple[Entry, int], ...] = ()
    leaders: tuple[tuple[int, int], ...] = ()


def _name(entry: Entry) -> str:
    what = entry.payload.decode(errors="replace") if entry.payload else entry.kind.name.lower()
    return f"{what} of term {entry.term}"


def after_applying(past: Past, look: Look, node: str) -> Past | Broken:
    """State-machine safety: what this node applied, compared with what was applied before."""
    for index, (entry, (first, _)) in enumerate(zip(look.applied, past.applied, strict=False), 1):
        if entry != first:
            return Broken("state-machine-safety", f"{node} applied {_name(entry)} at index {index}, where {_name(first)} was applied before")
    if len(look.applied) <= len(past.applied):
        return past
    news = tuple((entry, look.term) for entry in look.applied[len(past.applied) :])
    return past._replace(applied=past.applied + news)


def after_election(past: Past, look: Look, node: str) -> Past | Broken:
    """Election safety and leader completeness, of a node that leads now and did not before."""
    for term, leader in past.leaders:
        if term == look.term and leader != look.node_id:
            return Broken("election-safety", f"{node} leads term {term}, which had another leader already")
    for index, (entry, term) in enumerate(past.applied, 1):
        if term < look.term and look.entries[index - 1 : index] != (entry,):
            return Broken(
                "leader-completeness",
                f"{node} leads term {look.term} without entry {index}, {_name(entry)}, which was committed in term {term}",
            )
    won = (look.term, look.node_id)
    return past if won in past.leaders else past._replace(leaders=tuple(sorted({*past.leaders, won})))


def log_conflict(one: tuple[Entry, ...], other: tuple[Entry, ...]) -> str | None:
    """Log matching: from the last place where both agree on the term, everything before it must be equal."""
    for place in range(min(len(one), len(other)) - 1, -1, -1):
        if one[place].term == other[place].term:
            if one[: place + 1] == other[: place + 1]:
                return None
            where = next(i for i in range(place + 1) if one[i] != other[i])
            return (
                f"both hold an entry {place + 1} of term {one[place].term}, and at index {where + 1} "
                f"one has {_name(one[where])}, the other {_name(other[where])}"
            )
    return None
