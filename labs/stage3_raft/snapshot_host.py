"""A host of an explored node that takes snapshots as it goes, sends their chunks and loads those that came.

Its state machine is the list of what was applied. Written as a snapshot, each entry is one byte, which stands for it in a
book that all nodes of a search share; nodes at even places write it forwards, the others backwards, as two systems may write
the same state in other bytes. What a node cannot tell any more, because it is neither in its log nor in its state, stands in
its look as an entry that nobody wrote.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from labs.stage3_raft.searched_group import SearchedHost
from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.raft.messages import Snapshot
from mq.raft.output import Chunk, ChunkWanted, EntriesWanted, Output
from mq.sim.explore.host import Setting
from mq.sim.explore.promises import Look

__all__ = ["Book", "SnapshotHost"]


@dataclass(slots=True)
class Book:
    """every: a node takes a snapshot when it has applied so many entries since the last one."""

    every: int = 2
    entries: list[Entry] = field(default_factory=list)
    numbers: dict[Entry, int] = field(default_factory=dict)

    def written(self, applied: tuple[Entry, ...], *, is_backwards: bool) -> bytes:
        """A state, a byte for each entry."""
        for entry in applied:
            if entry not in self.numbers:
                self.numbers[entry] = len(self.entries)
                self.entries.append(entry)
        data = bytes(self.numbers[entry] for entry in applied)
        return data[::-1] if is_backwards else data

    def read(self, data: bytes, last_index: int) -> tuple[Entry, ...]:
        """The state up to this index. What it lacks are entries that nobody wrote."""
        found = {self.entries[number].index: self.entries[number] for number in data if number < len(self.entries)}
        return tuple(found.get(LogIndex(index), _lost(index)) for index in range(1, last_index + 1))


def _lost(index: int) -> Entry:
    return Entry(LogIndex(index), Term(0), EntryKind.COMMAND, b"lost")


class SnapshotHost(SearchedHost):
    """snapshot, data: what is on its disk. incoming: what came of another one."""

    __slots__ = ("book", "data", "incoming", "snapshot")

    def __init__(self, node_id: int, setting: Setting, book: Book) -> None:
        self.book = book
        self.snapshot: Snapshot | None = None
        self.data = self.incoming = b""
        super().__init__(node_id, setting)

    def copied(self) -> "SnapshotHost":
        """See `SearchedHost`."""
        other = super().copied()
        assert isinstance(other, SnapshotHost)
        for name in SnapshotHost.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def name(self) -> Hashable:
        """See `SearchedHost`."""
        return super().name(), self.snapshot, self.data, self.incoming

    def start(self, setting: Setting) -> None:
        """It loads the snapshot that it has."""
        super().start(setting)
        self.incoming = b""
        if self.snapshot is not None:
            self.applied = self._state()

    def _more(self) -> dict[str, Any]:
        return {"snapshot": self.snapshot}

    def call(self, setting: Setting, do: Callable[[Any], Output]) -> None:
        """And then perhaps a snapshot is taken, and is durable at once."""
        super().call(setting, do)
        saved_index = 0 if self.snapshot is None else self.snapshot.last.index
        if len(self.applied) - saved_index >= self.book.every:
            taken = self.node.take_snapshot()
            if taken is not None:
                self.snapshot = taken
                self.data = self.book.written(self.applied, is_backwards=self.node_id % 2 == 0)
                self._carry_out(self.node.snapshot_saved(taken), setting)

    def _carry_out(self, output: Output, setting: Setting) -> None:
        """As its base does, and what is of snapshots when all else is done."""
        todo, later = [output], list[Any]()
        while todo or later:
            if not todo:
                todo.append(self._of_snapshots(later.pop(0)))
                continue
            output = todo.pop(0)
            self.sent += output.send
            self.promised += output.send_after
            later += [*output.chunks, *(wanted for wanted in output.fetch if isinstance(wanted, ChunkWanted))]
            todo += [self.node.fetched(each, self._read(each)) for each in output.fetch if isinstance(each, EntriesWanted)]
            if setting.is_disk_ready and output.saves:
                todo.append(self._saved(output.saves[-1].sequence))
            if output.install is not None:
                self.applied = self._state()
                todo.append(self.node.applied(output.install.last.index))
            if output.apply_to > len(self.applied):
                todo.append(self._apply(output.apply_to))

    def _of_snapshots(self, what: Chunk | ChunkWanted) -> Output:
        if isinstance(what, Chunk):
            self.incoming = what.data if what.at == 0 else self.incoming + what.data
            if not what.is_last:
                return Output()
            self.snapshot, self.data = what.snapshot, self.incoming
            return self.node.snapshot_received(what.snapshot)
        if what.snapshot != self.snapshot:
            return self.node.chunk_fetched(what, None, is_last=False)
        end = what.at + what.bytes_max
        return self.node.chunk_fetched(what, self.data[what.at : end], is_last=end >= len(self.data))

    def _apply(self, index: int) -> Output:
        """The log may begin behind what is applied."""
        self.applied = self._whole()[:index]
        return self.node.applied(LogIndex(index))

    def _state(self) -> tuple[Entry, ...]:
        return () if self.snapshot is None else self.book.read(self.data, self.snapshot.last.index)

    def _whole(self) -> tuple[Entry, ...]:
        """The log from its first entry on: what a snapshot stands for, and what is behind it."""
        before = self.log.base.index
        state = self._state()[:before]
        lost = tuple(map(_lost, range(len(state) + 1, before + 1)))
        return (*state, *lost, *self.log.entries)

    @property
    def look(self) -> Look:
        """See `Host`."""
        return Look.of(self.node.view(), self._whole(), self.applied)
