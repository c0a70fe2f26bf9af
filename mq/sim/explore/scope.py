"""How much of a Raft group is explored: nodes, terms, entries, messages, faults."""

from dataclasses import dataclass, field

from mq.core.errors import IllegalArgumentError
from mq.raft.configuration import Configuration
from mq.raft.options import RaftOptions

__all__ = ["FIRST_ID", "Scope", "node_name"]

FIRST_ID = 101
"""Node ids begin here, so that no other small number can be taken for one: that is what lets a search rename nodes."""


def node_name(node_id: int) -> str:
    """`n1` for the first."""
    return f"n{node_id - FIRST_ID + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A step that would leave it cannot happen. Numbers that rise only (proposals, crashes, ...) are for a whole run.

    in_flight_max: messages that are under way. is_full_lossy: where more are sent, those of the lowest terms are lost, and else
    such a step cannot happen. can_lose: a message may be lost at any moment; else it may only stay under way for ever.
    repeats: messages that arrive once more. is_disk_ready: what a node saves is durable at once; else that is a step of its own.
    has_symmetry: states that differ only in the nodes' names are one. promises: that are looked after.
    """

    nodes: int = 3
    term_max: int = 4
    index_max: int = 4
    proposals: int = 1
    crashes: int = 1
    heartbeats: int = 0
    repeats: int = 0
    in_flight_max: int = 8
    is_full_lossy: bool = False
    can_lose: bool = False
    is_disk_ready: bool = True
    has_symmetry: bool = False
    promises: tuple[str, ...] = ("state-machine-safety",)
    options: RaftOptions = field(default_factory=lambda: RaftOptions(entries_max=1, has_pre_vote=False, has_check_quorum=False))

    def __post_init__(self) -> None:
        if self.options.has_check_quorum:
            raise IllegalArgumentError("has_check_quorum needs time to pass, and in an explored group none does")

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all nodes."""
        return tuple(range(FIRST_ID, FIRST_ID + self.nodes))

    @property
    def configuration(self) -> Configuration:
        """All nodes are voters."""
        return Configuration.of(*self.ids)
