"""The host loop around a Raft node: the one place that knows in which order an output is carried out.

`mq.raft.output` gives the order, and says why; here it is done. What a save, a message or an applied entry *is*, the host says:
the broker's process (`mq.server.host`) and the deterministic world (`mq.sim.group.host`) are both this class with their own
hands. Nothing here knows a clock, a disk or a network.

    core  --Output-->  carry_out:  save | install | look | send | promises | apply | reads | fetch | chunks | forget
                       saved, take_back, disk_failed, applied_up_to  <--  what the host is told by its disk and its state machine
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from mq.core.entry import Appended
from mq.core.ids import LogIndex
from mq.core.ports import Plan
from mq.raft.messages import Message, Snapshot
from mq.raft.output import Chunk, ChunkWanted, EntriesWanted, Output, ReadReady, RoleChanged

__all__ = ["Core", "HostLoop"]


class Core(Protocol):
    """Of a Raft node what the loop itself calls. `mq.raft.node.RaftNode` is one."""

    def saved(self, sequence: int) -> Output:
        """The saves up to this one are durable."""

    def save_failed(self, sequence: int) -> Output:
        """There was no room for the newest save."""

    def disk_failed(self) -> Output:
        """The disk cannot be trusted any more."""

    def applied(self, index: LogIndex) -> Output:
        """The state machine has applied everything up to here."""


class HostLoop:
    """A host; its hooks are what a certain host does. One call at a time, and none from within a hook but where that says so.

    apply_to: what is committed, and durable here. applied: what the state machine has; it may be ahead of `apply_to` after a
    start, when its state was saved later than the core's snapshot.
    """

    core: Core

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, applied: int) -> None:
        """A new life, with a state machine that has applied so much. Nothing of an earlier one is owed any more."""
        self.promises: deque[tuple[int, Message]] = deque()
        self._ready: list[ReadReady] = []
        self.apply_to = self.applied = applied

    # --- what the core wants

    def carry_out(self, output: Output) -> None:  # noqa: C901 - a list of things to do; their order is the point
        """Do what the core asks for. The numbers are those of `mq.raft.output`."""
        if output.changes:
            self.role_changed(output.changes)
        if output.saves:
            self.save(output.saves)  # 1
        if output.install is not None:
            self.install(output.install)  # 2, before anyone looks at what is committed now
        self.look()
        for message in output.send:  # 3
            self.send(message)
        if output.send_after:  # 4
            self.promises.extend(output.send_after)
        if output.apply_to > self.apply_to:  # 5
            self.apply_to = output.apply_to
            self.apply()
        if output.reads:  # 6
            self._take_reads(output.reads)
        for wanted in output.fetch:  # 7
            self.fetch(wanted)
        for chunk in output.chunks:  # 8
            self.save_chunk(chunk)
        if output.forget:  # 9
            self.forget(output.forget)

    def _take_reads(self, reads: Sequence[ReadReady]) -> None:
        for ready in reads:
            if ready.index < 0:
                self.read_lost(ready.context)
            else:
                self._ready.append(ready)
        self._answer_reads()

    def _answer_reads(self) -> None:
        if not self._ready:
            return
        waiting, self._ready = self._ready, []
        for ready in waiting:
            if ready.index > self.applied:
                self._ready.append(ready)
            else:
                self.read_answered(ready.context)

    # --- what the host has done

    def saved(self, sequence: int) -> None:
        """The saves up to this one are durable: promises that waited for them leave now, and only now."""
        promises = self.promises
        while promises and promises[0][0] <= sequence:
            self.send(promises.popleft()[1])
        self.carry_out(self.core.saved(sequence))

    def take_back(self, sequences: Iterable[int]) -> None:
        """There was no room for the first of these saves, none behind it was begun: the newest is taken back first."""
        for sequence in sorted(sequences, reverse=True):
            self.taking_back(sequence)
            self.promises = deque(promise for promise in self.promises if promise[0] < sequence)
            self.carry_out(self.core.save_failed(sequence))

    def disk_failed(self) -> None:
        """The disk cannot be trusted: nothing that waits for it comes true."""
        self.promises.clear()
        self.carry_out(self.core.disk_failed())

    def applied_up_to(self, index: int) -> None:
        """The state machine has everything up to here: reads that waited for it are answered."""
        self.applied = index
        self.carry_out(self.core.applied(LogIndex(min(index, self.apply_to))))
        self._answer_reads()

    # --- hooks: what a host does. Those that may call the loop again say so.

    def role_changed(self, changes: Sequence[RoleChanged]) -> None:
        """Of the node."""

    def save(self, saves: Sequence[Appended]) -> None:
        """Have the plans carried out in this order, and call `saved` when one is durable: later, and not within this call."""

    def taking_back(self, sequence: int) -> None:
        """This save is about to be taken back."""

    def install(self, snapshot: Snapshot) -> None:
        """Load the state of a snapshot that is here, and call `applied_up_to`."""

    def look(self) -> None:
        """The core has changed: for those who watch."""

    def send(self, message: Message) -> None:
        """To `message.to`; it may get lost."""

    def apply(self) -> None:
        """Entries up to `apply_to`, in their order, now or later, and call `applied_up_to`."""

    def read_answered(self, context: int) -> None:
        """A read may be answered with the state as it is."""

    def read_lost(self, context: int) -> None:
        """A read has to be asked again, of another leader."""

    def fetch(self, wanted: EntriesWanted | ChunkWanted) -> None:
        """Read it, and hand it to the core."""

    def save_chunk(self, chunk: Chunk) -> None:
        """Of a snapshot from the leader."""

    def forget(self, plan: Plan) -> None:
        """Segments that nobody needs; whenever it likes."""
