"""The state machine on a node, and those who wait for it: commands to be applied, reads, snapshots of the state.

The state is the number of commands that were taken and a running checksum of them. The order of all that a host does is
`mq.raft.hosting`, which the broker's process runs, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol
from zlib import crc32

from mq.core.errors import StateError
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.errors import NotLeaderError
from mq.raft.hosting import HostLoop
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Chunk
from mq.raft.port import LogStorage
from mq.sim.group.agenda import Agenda
from mq.sim.group.lane import OwnSnapshot, Weather
from mq.sim.group.network import Network
from mq.sim.group.storage import Storage, decode_state, encode_state
from mq.sim.group.trace import GroupTrace
from mq.sim.group.watch import Watch

__all__ = ["Asker", "HostOptions", "Machine", "Place"]


class Asker(Protocol):
    """Who asked for something and is told how it ended."""

    def done(self, request: str, index: int, term: int) -> None:
        """The command is committed and applied."""

    def unknown(self, request: str) -> None:
        """Nobody can say how it ended."""

    def answered(self, request: str, index: int) -> None:
        """Of a read: the state behind this entry."""

    def lost(self, request: str) -> None:
        """Of a read: it has to be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """snapshot_every: entries from one snapshot to the next, 0 for none. kept_entries: not compacted behind a snapshot.

    apply_ms: from a commit to its application. read_ms: of old entries or a chunk from the disk. state_words: of a snapshot, 12
    bytes each.
    """

    tick_ms: int = 50
    snapshot_every: int = 0
    kept_entries: int = 0
    apply_ms: int = 0
    read_ms: int = 1
    state_words: int = 10


@dataclass(slots=True, kw_only=True)
class Place:
    """Where a host stands: what it shares with all others."""

    agenda: Agenda
    network: Network
    trace: GroupTrace
    watch: Watch
    rng: Random
    raft: RaftOptions
    options: HostOptions
    configuration: Configuration
    make: type[RaftNode] = RaftNode


class Machine(HostLoop):
    """See the module; `Host` is what runs it.

    node: None while the process is dead. life: rises with each start and end, so that what was under way for an earlier one is
    known. pending: by index, (term, request, who asked). applied, checksum: of the state. installed_index: of the newest
    snapshot that a leader sent, in this life.
    """

    def __init__(self, node_id: int, place: Place, storage: Storage, weather: Weather) -> None:
        self.node_id, self.place, self.storage, self.weather = node_id, place, storage, weather
        self.agenda, self._note, self._watch = place.agenda, place.trace.note, place.watch
        super().__init__()
        self.node: RaftNode | None = None
        self.life = 0

    def _open(self) -> None:
        """Everything in memory is new, and the state is that of the newest snapshot."""
        opened = self.storage.open()
        self.log: LogStorage = opened.log
        self.pending: dict[int, tuple[int, str, Asker]] = {}
        self._asked: dict[int, tuple[str, Asker]] = {}
        self._context = 0
        self._is_applying = self._is_saving_snapshot = False
        applied, self.checksum = decode_state(opened.state) if opened.snapshot else (0, 0)
        self.begin(applied)
        self.snapshot_index, self.installed_index = applied, 0
        self.core = self.node = self.place.make(
            self.node_id,
            opened.log,
            Random(self.place.rng.getrandbits(32)),  # noqa: S311 - repeatable is what it has to be
            options=self.place.raft,
            configuration=self.place.configuration,
            snapshot=opened.snapshot,
            later_configurations=opened.later_configurations,
        )

    def _live(self) -> RaftNode:
        if self.node is None:
            raise StateError(f"node {self.node_id} is dead")
        return self.node

    # --- filled in by `Host`

    def _put_to_disk(self, job: OwnSnapshot | Chunk) -> None:
        """Save it, behind everything that waits."""

    def _when_up(self, do: Any, one: Any, life: int) -> bool:  # noqa: ARG002  # see Host
        """Whether something that was under way is to be handled now."""
        return life == self.life

    # --- the state machine

    def apply(self) -> None:
        """See `HostLoop`."""
        if not self.place.options.apply_ms:
            self._apply()
        elif not self._is_applying:
            self._is_applying = True
            self.agenda.at(self.agenda.now_ms + self.place.options.apply_ms, self._apply_later, None, self.life)

    def _apply_later(self, _: None, life: int) -> None:
        if self._when_up(self._apply_later, None, life):
            self._is_applying = False
            self._apply()

    def _apply(self) -> None:
        entries = self.storage.entries(self.applied + 1, self.apply_to, 1 << 60)
        if len(entries) < self.apply_to - self.applied:
            raise StateError(f"node {self.node_id} is to apply entry {self.apply_to}, and does not hold all up to it")
        for entry in entries:
            self.applied = entry.index
            self.checksum = crc32(entry.payload, self.checksum ^ entry.kind)
            self._note((self.agenda.now_ms, self.node_id, "apply", entry))
            for told in self._watch.applied:
                told(self, entry, self.checksum)
            if entry.index in self.pending:
                term, request, asker = self.pending.pop(entry.index)
                if term == entry.term:
                    asker.done(request, entry.index, term)
                else:
                    asker.unknown(request)
        self.applied_up_to(self.applied)
        self._take_snapshot()

    def _take_snapshot(self) -> None:
        every = self.place.options.snapshot_every
        if not every or self._is_saving_snapshot or self.applied < self.snapshot_index + every:
            return
        self.take_snapshot()

    def take_snapshot(self) -> None:
        """Now, if there is something new."""
        snapshot = None if self._is_saving_snapshot else self._live().take_snapshot()
        if snapshot is not None:
            self._is_saving_snapshot = True
            state = encode_state(self.applied, self.checksum, self.place.options.state_words, maker=self.node_id)
            self._put_to_disk(OwnSnapshot(snapshot, state))

    def _own_snapshot_saved(self, job: OwnSnapshot) -> None:
        self._is_saving_snapshot = False
        last = job.snapshot.last
        self.storage.save_snapshot(job.snapshot, job.state)
        self._note((self.agenda.now_ms, self.node_id, "snapshot", last.index, last.term))
        for told in self._watch.saved_snapshot:
            told(self, last.index)
        for told in self._watch.has_snapshot:
            told(self, job.snapshot, decode_state(job.state)[0])
        self.snapshot_index = max(self.snapshot_index, last.index)
        keep_from = LogIndex(max(1, last.index + 1 - self.place.options.kept_entries))
        self.carry_out(self._live().snapshot_saved(job.snapshot, keep_from=keep_from))
        self.storage.forget_snapshots(self._live().snapshot.last.index)

    def install(self, snapshot: Snapshot) -> None:
        """See `HostLoop`."""
        state = self.storage.state_of(snapshot)
        if state is None:
            raise StateError(f"node {self.node_id} is to install a snapshot of entry {snapshot.last.index} that is not there")
        self.applied, self.checksum = decode_state(state)
        self.snapshot_index = self.installed_index = self.apply_to = self.applied
        self._note((self.agenda.now_ms, self.node_id, "install", snapshot.last.index, snapshot.last.term))
        for told in self._watch.has_snapshot:
            told(self, snapshot, self.applied)
        for told in self._watch.installed:
            told(self, self.applied, self.checksum)
        for index in [index for index in self.pending if index <= self.applied]:
            _, request, asker = self.pending.pop(index)
            asker.unknown(request)
        self.applied_up_to(self.applied)

    # --- clients

    def propose(self, asker: Asker, requests: Sequence[str], bodies: Sequence[bytes]) -> int | None:
        """A client asks for commands, together. Raises: NotLeaderError; nothing was done then. Returns the first index."""
        now = self.agenda.now_ms
        for request, body in zip(requests, bodies, strict=True):
            self._note((now, self.node_id, "propose", request, body))
            for told in self._watch.proposes:
                told(body)
        try:
            output = self._live().propose(bodies)
        except NotLeaderError:
            for request in requests:
                self._note((now, self.node_id, "refuse", request))
            raise
        first = output.proposed
        if first is None:
            raise StateError("a proposal was taken and has no place")
        for number, request in enumerate(requests):
            self._note((now, self.node_id, "proposed", request, first.index + number, first.term))
            self.pending[first.index + number] = (first.term, request, asker)
        self.carry_out(output)
        return first.index

    def read(self, asker: Asker, request: str, floor: int) -> None:
        """A client asks for the state as it is now. Raises: NotLeaderError."""
        self._note((self.agenda.now_ms, self.node_id, "read", request, floor))
        self._context += 1
        self._asked[self._context] = (request, asker)
        try:
            output = self._live().read(self._context)
        except NotLeaderError:
            del self._asked[self._context]
            self._note((self.agenda.now_ms, self.node_id, "refuse", request))
            raise
        self.carry_out(output)

    def read_lost(self, context: int) -> None:
        """See `HostLoop`."""
        request, asker = self._asked.pop(context)
        self._note((self.agenda.now_ms, self.node_id, "refuse", request))
        asker.lost(request)

    def read_answered(self, context: int) -> None:
        """See `HostLoop`."""
        request, asker = self._asked.pop(context)
        self._note((self.agenda.now_ms, self.node_id, "answer", request, self.applied))
        asker.answered(request, self.applied)
