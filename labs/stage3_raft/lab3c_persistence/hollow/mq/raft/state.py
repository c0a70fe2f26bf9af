"""What every layer of a node shares: who it is, its term and vote, its role, and the work it collects for its host.

A node is one class, built of layers, each in a file of its own with one idea:

    NodeState -> Persistence -> Election -> Replication -> Reading -> Snapshotting -> Membership -> Transfer ->
    RaftNode

Each layer adds fields and message handlers, and fills in the hooks below. Paper: Raft, figure 2, "State".
"""

from typing import NamedTuple

from mq.core.entry import Appended
from mq.core.ids import EntryId, LogIndex
from mq.core.ports import Plan
from mq.raft.log import RaftLog
from mq.raft.messages import Message, Snapshot
from mq.raft.options import RaftOptions
from mq.raft.output import NOTHING, Chunk, ChunkWanted, EntriesWanted, Output, ReadReady, RoleChanged
from mq.raft.port import Chance, LogStorage
from mq.raft.role import TRANSITIONS, Event, Role

__all__ = ["NodeState", "Start"]


class Start(NamedTuple):
    """What a node begins with: see `RaftNode`. snapshot: of entry (0, 0) when there is none yet."""

    node_id: int
    log: LogStorage
    chance: Chance
    options: RaftOptions
    snapshot: Snapshot


class NodeState:
    """Invariants: snapshot.last.index <= commit_index <= log.last.index; applied_index <= apply_to <= commit_index.

    term, vote: may be ahead of the disk; `_is_unsaved` says so, and nothing that depends on them leaves before.
    leader: of this term, as far as it is known. configuration: the newest in the log, committed or not.
    """

    __slots__ = (
        "_changes",
        "_chunks",
        "_fetch",
        "_forget",
        "_has_work",
        "_install",
        "_last_change",
        "_proposed",
        "_reads",
        "_saves",
        "_send",
        "_send_after",
        "applied_index",
        "chance",
        "commit_index",
        "configuration",
        "leader",
        "log",
        "node_id",
        "options",
        "role",
        "snapshot",
        "term",
        "vote",
    )

    def __init__(self, start: Start) -> None:
        self.node_id, self.chance, self.options = start.node_id, start.chance, start.options
        self.log = RaftLog(start.log, start.options.recent_bytes_max)
        self.term, self.vote = start.log.hard_state.term, start.log.hard_state.vote
        self.role = Role.MUTE if start.log.is_damaged else Role.FOLLOWER
        self.leader: int | None = None
        self.snapshot = start.snapshot
        self.configuration = start.snapshot.configuration
        self.commit_index = self.applied_index = self.snapshot.last.index
        self._last_change = RoleChanged(self.role, self.term, None)
        self._clear_work()

    # --- work for the host

    def _clear_work(self) -> None:
        self._has_work = False
        self._saves: list[Appended] = []
        self._send: list[Message] = []
        self._send_after: list[tuple[int, Message]] = []
        self._reads: list[ReadReady] = []
        self._fetch: list[EntriesWanted | ChunkWanted] = []
        self._chunks: list[Chunk] = []
        self._install: Snapshot | None = None
        self._forget: Plan = ()
        self._changes: list[RoleChanged] = []
        self._proposed: EntryId | None = None

    def _tell(self, message: Message) -> None:
        """It may leave at once."""
        raise NotImplementedError("lab 3c: NodeState._tell")

    def _finish(self) -> Output:
        """Everything that was collected, as one output."""
        if not self._has_work:
            return NOTHING
        output = Output(
            tuple(self._saves), tuple(self._send), tuple(self._send_after), self.apply_to, tuple(self._reads), tuple(self._fetch),
            tuple(self._chunks), self._install, self._forget, tuple(self._changes), self._proposed,
        )  # fmt: skip
        self._clear_work()
        return output

    @property
    def apply_to(self) -> LogIndex:
        """What is committed and durable here, too: so no snapshot that is taken here is ever ahead of the log."""
        raise NotImplementedError("lab 3c: NodeState.apply_to")

    # --- role

    def _turn(self, event: Event, *, leader: int | None = None) -> None:
        """Into the role that the table gives, and tell about it."""
        before = self.role
        self.role, self.leader = TRANSITIONS[before, event], leader
        change = RoleChanged(self.role, self.term, leader)
        if change != self._last_change:
            self._has_work, self._last_change = True, change
            self._changes.append(change)
        if before is Role.LEADER:
            self._on_reign_ended()

    # --- hooks, from one layer to those above it

    def _on_reign_ended(self) -> None:
        """This node led, and leads no more."""

    def _on_committed(self, before: LogIndex) -> None:
        """commit_index rose from `before`."""

    def _handle(self, message: Message) -> None:
        """A message is for this node, from another one or from itself."""

    def _on_saved(self) -> None:
        """More of the log is durable here."""

    def _commit_to(self, index: int) -> None:
        """Entries up to here are committed, for ever."""
        if index > self.commit_index:
            before, self.commit_index = self.commit_index, LogIndex(index)
            self._has_work = True
            self._on_committed(before)
