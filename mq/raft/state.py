"""What every layer of a node shares: who it is, its term and vote, its role, and the work it collects for its host.

A node is one class, built of layers, each in a file of its own with one idea:

    NodeState -> Election -> Replication -> Reading -> Snapshotting -> Membership -> Transfer -> RaftNode

Each layer adds fields and message handlers, and fills in the hooks below. Paper: Raft, figure 2, "State".
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex, Term
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
        "_is_unsaved",
        "_last_change",
        "_last_sequence",
        "_own_promises",
        "_promises",
        "_proposed",
        "_reads",
        "_saved_sequence",
        "_saves",
        "_send",
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
        self._is_unsaved = False
        self._last_change = RoleChanged(self.role, self.term, None)
        self._last_sequence = self._saved_sequence = 0
        self._own_promises: deque[tuple[int, Message]] = deque()
        self._promises: list[Message] = []
        self._clear_work()

    # --- work for the host

    def _clear_work(self) -> None:
        self._has_work = False
        self._saves: list[Appended] = []
        self._send: list[Message] = []
        self._reads: list[ReadReady] = []
        self._fetch: list[EntriesWanted | ChunkWanted] = []
        self._chunks: list[Chunk] = []
        self._install: Snapshot | None = None
        self._forget: Plan = ()
        self._changes: list[RoleChanged] = []
        self._proposed: EntryId | None = None

    def _tell(self, message: Message) -> None:
        """It may leave at once."""
        self._has_work = True
        self._send.append(message)

    def _promise(self, message: Message) -> None:
        """It may leave only when everything that this node decided so far is durable.

        Paper: Raft, figure 2: term, vote and log are "updated on stable storage before responding to RPCs". Requests for votes
        wait as well: a candidate that forgets its term and campaigns in it again would otherwise collect votes for two logs.
        """
        self._has_work = True
        self._promises.append(message)

    def _save(self, after_index: int, entries: Sequence[Entry]) -> None:
        """Entries for the log, and with them, in the same durable step, term and vote if they changed."""
        hard_state = HardState(self.term, self.vote) if self._is_unsaved else None
        self._note_save(self.log.append(after_index, entries, hard_state))

    def _note_save(self, appended: Appended) -> None:
        self._has_work, self._is_unsaved = True, False
        self._last_sequence = appended.sequence
        self._saves.append(appended)

    @property
    def apply_to(self) -> LogIndex:
        """What is committed and durable here, too: so no snapshot is ever ahead of the log."""
        return max(self.snapshot.last.index, min(self.commit_index, self.log.storage.durable_index))

    def _finish(self) -> Output:
        """Everything that was collected, as one output."""
        if not self._has_work and not self._is_unsaved:
            return NOTHING
        if self._is_unsaved:
            self._save(self.log.last.index, ())
        send_after: tuple[tuple[int, Message], ...] = ()
        if self._promises:
            send_after = self._hand_out_promises()
        output = Output(
            tuple(self._saves), tuple(self._send), send_after, self.apply_to, tuple(self._reads), tuple(self._fetch),
            tuple(self._chunks), self._install, self._forget, tuple(self._changes), self._proposed,
        )  # fmt: skip
        self._clear_work()
        return output

    def _hand_out_promises(self) -> tuple[tuple[int, Message], ...]:
        """A promise to oneself (a candidate's own vote) waits like all others, but does not travel."""
        sequence, waiting = self._last_sequence, list[tuple[int, Message]]()
        is_saved = self._saved_sequence >= sequence
        for promise in self._promises:
            if promise.to == self.node_id:
                self._own_promises.append((sequence, promise))
            elif is_saved:
                self._send.append(promise)
            else:
                waiting.append((sequence, promise))
        self._promises = []
        return tuple(waiting)

    # --- role and term

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

    def _enter_term(self, term: Term, vote: int | None = None) -> None:
        """Terms only rise, and in a new one the vote is free again. Paper: Raft, section 5.1."""
        self.term, self.vote, self._is_unsaved = term, vote, True

    # --- hooks, from one layer to those above it

    def _on_reign_ended(self) -> None:
        """This node led, and leads no more."""

    def _on_committed(self, before: LogIndex) -> None:
        """commit_index rose from `before`."""

    def _commit_to(self, index: int) -> None:
        """Entries up to here are committed, for ever."""
        if index > self.commit_index:
            before, self.commit_index = self.commit_index, LogIndex(index)
            self._has_work = True
            self._on_committed(before)
