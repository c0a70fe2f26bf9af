"""A Raft node as others may see it: checkers, tests, consoles, notebooks and drawings."""

from typing import NamedTuple

from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.role import Role

__all__ = ["NodeView", "PeerView"]


class PeerView(NamedTuple):
    """What a leader knows of a follower. state: "probe", "replicate" or "snapshot". in_flight: requests without an answer."""

    node_id: int
    state: str
    match_index: LogIndex
    next_index: LogIndex
    in_flight: int
    is_active: bool


class NodeView(NamedTuple):
    """apply_to <= commit_index <= last_index; snapshot.index <= apply_to. peers: empty unless this node leads.

    term, vote: as they are in memory; `mq.raft.port.LogStorage.hard_state` says what was handed to the disk.
    """

    node_id: int
    role: Role
    term: Term
    vote: int | None
    leader: int | None
    commit_index: LogIndex
    apply_to: LogIndex
    applied_index: LogIndex
    first_index: LogIndex
    durable_index: LogIndex
    last: EntryId
    snapshot: EntryId
    configuration: Configuration
    peers: tuple[PeerView, ...]
    is_transferring: bool
