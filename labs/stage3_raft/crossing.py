"""What crosses between a Raft in a student's process and the world outside: plain data, in both directions.

The Raft asks its log dozens of times within one call, so a log of ours is on its side. What it wrote there comes out with the
answer, and the world writes the same into its own log: that one is the truth, for disks, crashes and checkers.
"""

from typing import Any, NamedTuple, TypeAlias

from mq.core.entry import Entry, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.role import Role

__all__ = ["Abandoned", "Did", "Dropped", "Life", "Put", "Refused", "Reset", "Seen", "Synced", "Turn", "Wrote"]


class Life(NamedTuple):
    """What a node begins a life with. base: the entry before the first one that the disk holds; kept: those behind it.

    chance: `random.Random.getstate()`; None where every draw is the lowest number. The rest: as `mq.raft.node.RaftNode` takes it.
    """

    node_id: int
    base: EntryId
    kept: tuple[Entry, ...]
    hard_state: HardState
    is_damaged: bool
    chance: tuple[Any, ...] | None
    options: RaftOptions
    configuration: Configuration
    snapshot: Snapshot | None
    later_configurations: tuple[tuple[LogIndex, Configuration], ...]


class Put(NamedTuple):
    """`append`. sequence: what it was called."""

    sequence: int
    after_index: LogIndex
    entries: tuple[Entry, ...]
    hard_state: HardState | None


class Reset(NamedTuple):
    """`reset`."""

    sequence: int
    last: EntryId
    hard_state: HardState


class Synced(NamedTuple):
    """`synced`."""

    sequence: int


class Abandoned(NamedTuple):
    """`abandon`."""

    sequence: int


class Dropped(NamedTuple):
    """`drop_before`. below: what it was asked to forget."""

    below: LogIndex


Wrote: TypeAlias = Put | Reset | Synced | Abandoned | Dropped
"""One call of the log that changed it."""


class Seen(NamedTuple):
    """What a node shows of itself after a call. apply_to: as in `mq.raft.view.NodeView`."""

    term: Term
    vote: int | None
    role: Role
    leader: int | None
    commit_index: LogIndex
    apply_to: LogIndex
    snapshot: Snapshot


class Refused(NamedTuple):
    """A call was refused, and nothing was done. kind: "not leader" with who leads, or "change" with why."""

    kind: str
    leader: int | None = None
    why: str = ""


class Did(NamedTuple):
    """What a call came to. output: None for nothing to be done. seen, configuration: None when they are as before.

    taken: what a new snapshot stands for. is_unsound: `check`, right behind it, raises; not known of one of several calls.
    """

    output: Output | None = None
    wrote: tuple[Wrote, ...] = ()
    seen: Seen | None = None
    configuration: Configuration | None = None
    refused: Refused | None = None
    taken: Snapshot | None = None
    is_unsound: bool = False


class Turn(NamedTuple):
    """One of several calls that belong together, and what it came to. See `HostedRaft.turn`.

    number: of what is saved or applied, of the first entry that was fetched; else 0. did: None for nothing at all.
    """

    name: str
    number: int
    did: Did | None
