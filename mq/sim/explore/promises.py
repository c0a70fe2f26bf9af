"""What a Raft group promises, looked up in the nodes' own words and in their logs.

A search asks after each step. What a promise needs to know of the past is kept in `Past`, which is part of a state.
"""

from typing import NamedTuple

from mq.core.entry import Entry
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.sim.explore.scope import node_name

__all__ = ["PROMISES", "Broken", "Look", "Past", "after_applying", "after_election", "log_conflict"]

PROMISES: dict[str, tuple[str, str]] = {
    "election-safety": ("in each term there is at most one leader", "Election Safety; Paper: Raft, section 5.2"),
    "leader-completeness": (
        "an entry that was committed in a term is in the logs of the leaders of all later terms",
        "Leader Completeness; Paper: Raft, section 5.4",
    ),
    "log-matching": (
        "if two logs hold an entry with the same index and term, they are equal in all entries up to it",
        "Log Matching; Paper: Raft, section 5.3",
    ),
    "state-machine-safety": (
        "no two nodes ever apply different entries at the same index",
        "State Machine Safety; Paper: Raft, section 5.4.3",
    ),
    "own-invariants": ("a node never contradicts itself", "Paper: Raft, figure 2"),
}
"""By name: in one sentence, and where the paper says so."""


class Broken(NamedTuple):
    """A promise that was broken, and the two facts that conflict. applied_index: of an entry applied before; 0: of none."""

    promise: str
    before: str
    now: str
    applied_index: int = 0

    @property
    def why(self) -> str:
        """Both facts."""
        return f"{self.before}; {self.now}"


class Look(NamedTuple):
    """What others may see of a node. entries: of its log. applied: what went into its state machine since it started."""

    node_id: int
    role: Role
    term: int
    vote: int | None
    leader: int | None
    entries: tuple[Entry, ...]
    applied: tuple[Entry, ...]
    commit_index: int

    @classmethod
    def of(cls, view: NodeView, entries: tuple[Entry, ...], applied: tuple[Entry, ...]) -> "Look":
        """From a node's own view, its log and its state machine."""
        return cls(view.node_id, view.role, view.term, view.vote, view.leader, entries, applied, view.commit_index)


class Past(NamedTuple):
    """applied: each entry that any node ever applied, with the term of the node that was the first. leaders: (term, node)."""

    applied: tuple[tuple[Entry, int], ...] = ()
    leaders: tuple[tuple[int, int], ...] = ()


def _entry_name(entry: Entry) -> str:
    what = entry.payload.decode(errors="replace") if entry.payload else entry.kind.name.lower()
    return f"entry {entry.index} of term {entry.term} ({what})"


def after_applying(past: Past, look: Look) -> Past | Broken:
    """State-machine safety: what this node applied, compared with what was applied before."""
    node = node_name(look.node_id)
    for index, (entry, (first, term)) in enumerate(zip(look.applied, past.applied, strict=False), 1):
        if entry != first:
            return Broken(
                "state-machine-safety",
                f"at index {index} {_entry_name(first)} was applied before, in term {term}",
                f"{node}, in term {look.term}, applies {_entry_name(entry)} there",
                index,
            )
    if len(look.applied) <= len(past.applied):
        return past
    news = tuple((entry, look.term) for entry in look.applied[len(past.applied) :])
    return past._replace(applied=past.applied + news)


def after_election(past: Past, look: Look) -> Past | Broken:
    """Election safety and leader completeness, of a node that leads now and did not before."""
    node = node_name(look.node_id)
    for term, leader in past.leaders:
        if term == look.term and leader != look.node_id:
            return Broken("election-safety", f"{node_name(leader)} was elected in term {term}", f"{node} leads that term now")
    for index, (entry, term) in enumerate(past.applied, 1):
        if term < look.term and look.entries[index - 1 : index] != (entry,):
            return Broken(
                "leader-completeness",
                f"{_entry_name(entry)} was committed in term {term}",
                f"{node} leads term {look.term} without it",
                index,
            )
    won = (look.term, look.node_id)
    return past if won in past.leaders else past._replace(leaders=tuple(sorted({*past.leaders, won})))


def log_conflict(one: Look, other: Look) -> Broken | None:
    """Log matching: up to the last place where both agree on the term, all must be equal."""
    for place in range(min(len(one.entries), len(other.entries)) - 1, -1, -1):
        if one.entries[place].term == other.entries[place].term:
            for ours, theirs in zip(one.entries[: place + 1], other.entries[: place + 1], strict=True):
                if ours != theirs:
                    both = f"both logs hold an entry {place + 1} of term {one.entries[place].term}"
                    return Broken(
                        "log-matching",
                        f"the log of {node_name(other.node_id)} has {_entry_name(theirs)}",
                        f"that of {node_name(one.node_id)} has {_entry_name(ours)} in its place, and {both}",
                    )
            return None
    return None
