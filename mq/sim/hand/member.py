"""One node of a group that is moved by hand, with its disk, its state machine, and what it waits for.

It keeps the order of `mq.raft.output`, the only thing that a host must not get wrong.
"""

from collections.abc import Callable
from typing import Protocol

from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.messages import Message, Snapshot
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Chunk, ChunkWanted, EntriesWanted, Output, ReadReady, RoleChanged
from mq.raft.role import Role
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.words import id_text, message_text, waiting_text

__all__ = ["Around", "FirstChance", "Member"]

_NAME_OF_ROLE = {Role.MUTE: "mute: it neither votes nor answers"}


class FirstChance:
    """Every time-out is the shortest one: by hand, nothing is left to chance."""

    def randrange(self, start: int, stop: int, /) -> int:  # noqa: ARG002  # the port's
        """The lowest number."""
        return start


class Around(Protocol):
    """What a member sees of its group."""

    def post(self, message: Message) -> None:
        """A message leaves."""

    def say(self, node_id: int, verb: str, text: str = "") -> None:
        """A line of the transcript."""

    def check_applied(self, node_id: int, entry: Entry) -> None:
        """An entry goes into a state machine. Raises: StateError when another went there elsewhere."""


class Member:
    """A node and its host.

    node: None while it is down. is_manual: saves become durable when `save` says so, not at once. snapshot, snapshot_data: the
    one on its disk. commands: what the state machine has applied. held: messages that wait for a save, as (sequence, message).
    reads: that wait for an index to be applied.
    """

    def __init__(self, around: Around, node_id: int, configuration: Configuration) -> None:
        self.around, self.node_id, self.configuration = around, node_id, configuration
        self.log = HandLog()
        self.is_manual = False
        self.node: RaftNode | None = None
        self.snapshot: Snapshot | None = None
        self.snapshot_data = b""
        self.commands: list[bytes] = []
        self.applied_index = 0
        self.held: list[tuple[int, Message]] = []
        self.reads: list[ReadReady] = []
        self._incoming = b""

    # --- life

    def start(self, raft_class: type[RaftNode], options: RaftOptions) -> None:
        """From what is on the disk."""
        first, term = (0, 0) if self.snapshot is None else (self.snapshot.last.index, self.snapshot.last.term)
        is_behind = self.log.term_at(LogIndex(first)) == term  # else the log begins anew, see `mq.raft.restart`
        self._load(self.snapshot)
        later = [
            (entry.index, Configuration.from_bytes(entry.payload))
            for entry in self.log.entries(first + 1, self.log.last_index)
            if is_behind and entry.kind == EntryKind.CONFIGURATION
        ]
        self.node = raft_class(
            self.node_id, self.log, FirstChance(), options=options, configuration=self.configuration,
            snapshot=self.snapshot, later_configurations=later,
        )  # fmt: skip
        if self.node.role is Role.MUTE:
            self.around.say(self.node_id, "is", _NAME_OF_ROLE[Role.MUTE])

    def _load(self, snapshot: Snapshot | None) -> None:
        self.applied_index = 0 if snapshot is None else snapshot.last.index
        self.commands = self.snapshot_data.split(b" ") if self.snapshot_data else []

    def crash(self, *, keeps_unsaved: bool) -> None:
        """The process is gone, with all that it held in memory."""
        self.log.crash(keeps_unsaved=keeps_unsaved)
        self.node = None
        self.held, self.reads, self._incoming = [], [], b""

    def call(self, verb: Callable[[RaftNode], Output]) -> None:
        """Do something with the node and carry out what it asks for; nothing happens to one that is down."""
        if self.node is not None:
            self.carry_out(verb(self.node))
            if self.node is not None:
                self.node.check()

    # --- the host's order

    def carry_out(self, output: Output) -> None:
        """See `mq.raft.output`."""
        for change in output.changes:
            self.around.say(self.node_id, "is", _change_text(change, self.node_id))
        for appended in output.saves:
            waiting = next(found for found in self.log.waiting if found.sequence == appended.sequence)
            verb = f"writes #{appended.sequence}" if self.is_manual else "saves"
            self.around.say(self.node_id, verb, waiting_text(waiting))
        for message in output.send:
            self.around.post(message)
        for sequence, message in output.send_after:
            self.held.append((sequence, message))
            if self.is_manual:
                self.around.say(self.node_id, f"keeps for #{sequence}", f"to {message.to}: {message_text(message)}")
        self._take_chunks(output.chunks)
        if output.install is not None:
            self._install(output.install)
        self._apply(output.apply_to)
        self.reads += output.reads
        self._answer_reads()
        for wanted in output.fetch:
            self._fetch(wanted)
        while not self.is_manual and self.log.waiting and self.node is not None:
            self.save()

    def save(self) -> None:
        """The disk says yes to the oldest write; what waited for it leaves."""
        sequence = self.log.waiting[0].sequence
        if self.is_manual:
            self.around.say(self.node_id, f"saved #{sequence}")
        node = self.node
        if node is None:
            return
        output = node.saved(sequence)  # marks it as durable, as only that makes the promises true
        ready = [message for number, message in self.held if number <= sequence]
        self.held = [(number, message) for number, message in self.held if number > sequence]
        for message in ready:
            self.around.post(message)
        self.carry_out(output)

    def fail_saves(self) -> None:
        """The disk is full: what waits is taken back, the newest first, and nothing that waited for it is sent."""
        while self.log.waiting and self.node is not None:
            sequence = self.log.waiting[-1].sequence
            self.around.say(self.node_id, f"could not save #{sequence}", "no room")
            self.held = [(number, message) for number, message in self.held if number < sequence]
            self.carry_out(self.node.save_failed(sequence))

    # --- the state machine

    def _apply(self, apply_to: int) -> None:
        if apply_to <= self.applied_index or self.node is None:
            return
        for entry in self.log.entries(self.applied_index + 1, apply_to):
            self.around.check_applied(self.node_id, entry)
            if entry.kind == EntryKind.COMMAND and entry.payload:
                self.commands.append(entry.payload)
        first, self.applied_index = self.applied_index + 1, apply_to
        self.around.say(self.node_id, "applies", str(first) if first == apply_to else f"{first} to {apply_to}")
        self.carry_out(self.node.applied(LogIndex(apply_to)))

    def _answer_reads(self) -> None:
        for read in [read for read in self.reads if read.index <= self.applied_index]:
            self.reads.remove(read)
            if read.index < 0:
                self.around.say(self.node_id, f"drops read {read.context}", "it must be asked again")
            else:
                self.around.say(self.node_id, f"answers read {read.context}", f"behind entry {read.index}: {self.state_text()}")

    def state_text(self) -> str:
        """The commands that were applied."""
        return b" ".join(self.commands).decode() or "nothing"

    # --- snapshots, and old entries

    def take_snapshot(self) -> None:
        """Save the state as it is, and let the log go before it."""
        node = self.node
        if node is None:
            return
        snapshot = node.take_snapshot()
        if snapshot is None:
            self.around.say(self.node_id, "has nothing new", "for a snapshot")
            return
        self.snapshot, self.snapshot_data = snapshot, b" ".join(self.commands)
        self.around.say(self.node_id, "saves snapshot", f"behind {id_text(snapshot.last)}: {self.state_text()}")
        self.call(lambda raft: raft.snapshot_saved(snapshot))

    def _take_chunks(self, chunks: tuple[Chunk, ...]) -> None:
        for chunk in chunks:
            if chunk.at == 0:
                self._incoming = b""
            self._incoming += chunk.data
            if chunk.is_last and self.node is not None:
                self.snapshot, self.snapshot_data = chunk.snapshot, self._incoming
                self.around.say(self.node_id, "saves snapshot", f"behind {id_text(chunk.snapshot.last)}")
                self.carry_out(self.node.snapshot_received(chunk.snapshot))

    def _install(self, snapshot: Snapshot) -> None:
        self._load(snapshot)
        self.around.say(self.node_id, "installs", f"{id_text(snapshot.last)}: {self.state_text()}")
        if self.node is not None:
            self.carry_out(self.node.applied(snapshot.last.index))

    def _fetch(self, wanted: EntriesWanted | ChunkWanted) -> None:
        node = self.node
        if node is None:
            return
        if isinstance(wanted, EntriesWanted):
            self.carry_out(node.fetched(wanted, self.log.entries(wanted.first, wanted.last)))
        elif wanted.snapshot != self.snapshot:
            self.carry_out(node.chunk_fetched(wanted, None, is_last=False))
        else:
            end = wanted.at + wanted.bytes_max
            data = self.snapshot_data[wanted.at : end]
            self.carry_out(node.chunk_fetched(wanted, data, is_last=end >= len(self.snapshot_data)))


def _change_text(change: RoleChanged, node_id: int) -> str:
    if change.role is Role.FOLLOWER:
        whose = "" if change.leader is None else f" of {change.leader}"
        return f"follower{whose} in term {change.term}"
    if change.role is Role.LEADER and change.leader != node_id:
        return f"leader in term {change.term}, and takes {change.leader} for it"
    if change.role is Role.MUTE:
        return _NAME_OF_ROLE[Role.MUTE]
    return f"{change.role} in term {change.term}"
