"""All that a node keeps on its disk: the log and its snapshots.

The host is written against `Storage`; `LightStorage` is the one that costs nothing.

What the state machine is, is told by its snapshot alone: the index and a running checksum, and then as much more as it is to be
long, so that a snapshot whose chunks were mixed up or lost does not load.
"""

from collections.abc import Callable, Sequence, Set
from typing import NamedTuple, Protocol
from zlib import crc32

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex
from mq.core.ports import Plan
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.output import Chunk
from mq.raft.port import LogStorage
from mq.sim.group.light_log import Group, LightLog, LightMedium

__all__ = ["Durable", "LightStorage", "MakeStorage", "Opened", "Storage", "decode_state", "encode_state"]

_WORD_BYTES = 12


def encode_state(index: int, checksum: int, words: int, *, maker: int) -> bytes:
    """The state machine's state as a snapshot's bytes, `words` times 12 of them. maker: the node that took it.

    The first word says how many there are. Each of the others has its number and a checksum of its own, and no two makers have
    the same: chunks that were lost, repeated, put in another order, or taken of two nodes' snapshots make no whole state.
    """
    first = index.to_bytes(5, "big") + (maker % 256).to_bytes(1, "big") + words.to_bytes(2, "big") + checksum.to_bytes(4, "big")
    return first + b"".join(_word(first, number) for number in range(1, words))


def _word(first: bytes, number: int) -> bytes:
    place = number.to_bytes(4, "big")
    return place + crc32(first + place).to_bytes(4, "big") + crc32(place + first).to_bytes(4, "big")


def decode_state(data: bytes) -> tuple[int, int]:
    """(index, checksum). Raises: StateError when these bytes are not one whole state."""
    first = data[:_WORD_BYTES]
    index, checksum = int.from_bytes(first[:5], "big"), int.from_bytes(first[8:], "big")
    if len(first) < _WORD_BYTES or data != encode_state(index, checksum, int.from_bytes(first[6:8], "big"), maker=first[5]):
        raise StateError(f"a snapshot of {len(data)} bytes is not one whole state")
    return index, checksum


class Opened(NamedTuple):
    """What a node starts with. state: of the snapshot."""

    log: LogStorage
    snapshot: Snapshot | None
    state: bytes
    later_configurations: tuple[tuple[LogIndex, Configuration], ...]


class Durable(Protocol):
    """The truth about a disk, for checkers: what would be there if the power went now and no unsynced write arrived."""

    @property
    def base(self) -> EntryId:
        """The entry before the first one in the log."""

    @property
    def last_index(self) -> int:
        """Of the newest entry."""

    @property
    def hard_state(self) -> HardState:
        """Term and vote."""

    @property
    def end(self) -> int:
        """The highest index that was durable since the last crash, superseded or not."""

    @property
    def votes(self) -> Set[tuple[int, int | None]]:
        """(term, candidate) of all that were ever durable."""

    def term_at(self, index: int) -> int | None:
        """Of an entry, or of the one before the first."""

    def holds(self, index: int, term: int) -> bool:
        """Whether this entry is there, itself or in a snapshot."""


class Storage(Protocol):
    """One node's disk. It outlives the node; `open` is called at each start."""

    @property
    def durable(self) -> Durable:
        """For checkers."""

    @property
    def unsynced(self) -> int:
        """How many appends are not durable."""

    @property
    def is_damaged(self) -> bool:
        """Whether something that was durable cannot be read any more."""

    def open(self) -> Opened:
        """Everything that is left is durable from now on."""

    def group(self, sequence: int) -> Group:
        """What an append held that was not carried out yet."""

    def sync(self, sequence: int) -> None:
        """Carry out the appends up to this one, and make them durable."""

    def crash(self, kept: int, *, is_power_lost: bool) -> int:
        """The node is dead. Of the appends that were not durable only the first few arrived.

        Returns how many: with the power lost it may be one more, which was being written.
        """

    def damage(self) -> None:
        """Something below the durable end cannot be read any more."""

    def entries(self, first: int, last: int, bytes_max: int) -> Sequence[Entry]:
        """From the log as the node sees it; none when the first is not kept any more."""

    def forget(self, plan: Plan) -> None:
        """Carry out what `LogStorage.drop_before` planned."""

    def save_snapshot(self, snapshot: Snapshot, state: bytes) -> None:
        """It is durable now."""

    def save_chunk(self, chunk: Chunk) -> None:
        """Part of a snapshot that comes from the leader; with the last chunk all of it is durable."""

    def state_of(self, snapshot: Snapshot) -> bytes | None:
        """The bytes of a snapshot; None when it is not kept any more."""

    def forget_snapshots(self, index: int) -> None:
        """Those below this index are not needed any more."""


MakeStorage = Callable[[], Storage]


class LightStorage:
    """See `Storage`."""

    __slots__ = ("_incoming", "_log", "_snapshots", "durable")

    def __init__(self) -> None:
        self.durable = LightMedium()
        self._log = LightLog(self.durable)
        self._snapshots: dict[int, tuple[Snapshot, bytes]] = {}
        self._incoming: list[Chunk] = []

    @property
    def unsynced(self) -> int:
        """See `Storage`."""
        return len(self.durable.waiting)

    @property
    def is_damaged(self) -> bool:
        """See `Storage`."""
        return self.durable.is_damaged

    def open(self) -> Opened:
        """See `Storage`."""
        self._incoming = []
        self._log = LightLog(self.durable)
        snapshot, state = self._snapshots[max(self._snapshots)] if self._snapshots else (None, b"")
        index = snapshot.last.index if snapshot else 0
        found = tuple(
            (entry.index, Configuration.from_bytes(entry.payload))
            for entry in self.durable.entries
            if entry.kind is EntryKind.CONFIGURATION and entry.index > index
        )
        is_behind = snapshot is not None and self.durable.term_at(index) != snapshot.last.term
        return Opened(self._log, snapshot, state, () if is_behind else found)

    def group(self, sequence: int) -> Group:
        """See `Storage`."""
        waiting = self.durable.waiting
        if waiting[-1].sequence == sequence:
            return waiting[-1]
        return next(group for group in waiting if group.sequence == sequence)

    def sync(self, sequence: int) -> None:
        """See `Storage`."""
        self.durable.sync(sequence)

    def crash(self, kept: int, *, is_power_lost: bool) -> int:  # noqa: ARG002 - nothing is ever half written here
        """See `Storage`."""
        self.durable.crash(kept)
        return kept

    def damage(self) -> None:
        """See `Storage`."""
        self.durable.is_damaged = True

    def entries(self, first: int, last: int, bytes_max: int) -> Sequence[Entry]:
        """See `Storage`."""
        found = self._log.entries(first, last)
        size = 0
        for count, entry in enumerate(found):
            size += len(entry.payload)
            if size > bytes_max and count:
                return found[:count]
        return found

    def forget(self, plan: Plan) -> None:
        """See `Storage`."""
        if plan:
            self.durable.drop_before(self._log.first_index)

    def save_snapshot(self, snapshot: Snapshot, state: bytes) -> None:
        """See `Storage`."""
        self._snapshots[snapshot.last.index] = (snapshot, state)

    def save_chunk(self, chunk: Chunk) -> None:
        """See `Storage`."""
        if chunk.at == 0:
            self._incoming = []
        self._incoming.append(chunk)
        if chunk.is_last:
            self.save_snapshot(chunk.snapshot, b"".join(part.data for part in self._incoming))

    def state_of(self, snapshot: Snapshot) -> bytes | None:
        """See `Storage`."""
        kept = self._snapshots.get(snapshot.last.index)
        return kept[1] if kept is not None and kept[0] == snapshot else None

    def forget_snapshots(self, index: int) -> None:
        """See `Storage`."""
        self._snapshots = {at: kept for at, kept in self._snapshots.items() if at >= index}
