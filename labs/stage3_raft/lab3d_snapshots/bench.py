"""Node 1 with a host that takes its time: no chunk is read, none is saved, and nothing is applied before a test says so."""

from collections.abc import Sequence
from typing import Any

from labs.stage3_raft.lone import Bench, Lone, command, entry_id
from mq.core.entry import HardState
from mq.core.ids import LogIndex, Term
from mq.core.ports import Plan, Remove
from mq.raft.configuration import Configuration
from mq.raft.messages import Message, Snapshot, SnapshotReply, SnapshotRequest
from mq.raft.output import Chunk, ChunkWanted, EntriesWanted, Output
from mq.sim.hand.group import HandGroup
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.member import Around, Member
from mq.sim.hand.words import id_text, message_text

__all__ = ["MEMBERS", "SlowNode", "chunk", "moved", "slow", "told", "with_compacted_log"]

MEMBERS = Configuration.of(1, 2, 3)
_CHUNK_BYTES = 3
_MESSAGES_MAX = 200
"""Many more than come of a tick."""


def chunk(  # noqa: PLR0913 - as a chunk is told
    index: int, term: int, at: int, data: bytes, *, is_last: bool, leader: int = 2, reign: int = 5
) -> SnapshotRequest:
    """Of a snapshot behind an entry of that index and term, from the leader of term `reign`."""
    return SnapshotRequest(leader, 1, Term(reign), Snapshot(entry_id(index, term), MEMBERS), at, data, is_last)


def told(messages: Sequence[Message]) -> str:
    """What was answered, for people."""
    return f"what it is told is: {'; '.join(message_text(message) for message in messages) or 'nothing'}"


class _FiledLog(HandLog):
    """A log in memory that names what may be removed, as one in files does."""

    def drop_before(self, index: LogIndex) -> Plan:
        first = self.first_index
        super().drop_before(index)
        return (Remove(f"entries below {index}"),) if self.first_index > first else ()


class _SlowMember(Member):
    """wanted: chunks to be read; parts: chunks to be saved; installed: snapshots whose state was loaded.

    is_applying: whether what is committed is applied at once. removed: what the node had no use for any more.
    """

    def __init__(self, around: Around, node_id: int, configuration: Configuration) -> None:
        super().__init__(around, node_id, configuration)
        self.log = _FiledLog()
        self.is_applying = True
        self.wanted: list[ChunkWanted] = []
        self.parts: list[Chunk] = []
        self.installed: list[Snapshot] = []
        self.removed: list[object] = []

    def carry_out(self, output: Output) -> None:
        self.removed += output.forget
        super().carry_out(output)

    def _apply(self, apply_to: int) -> None:
        if self.is_applying:
            super()._apply(apply_to)

    def _fetch(self, wanted: EntriesWanted | ChunkWanted) -> None:
        if isinstance(wanted, EntriesWanted):
            super()._fetch(wanted)
            return
        what = f"{id_text(wanted.snapshot.last)} from byte {wanted.at} on, {wanted.bytes_max} at most, for {wanted.peer}"
        self.around.say(self.node_id, "is to read", what)
        self.wanted.append(wanted)

    def _take_chunks(self, chunks: tuple[Chunk, ...]) -> None:
        for part in chunks:
            what = f"{id_text(part.snapshot.last)}, bytes {part.at} to {part.at + len(part.data)}"
            self.around.say(self.node_id, "is to save", f"{what}{', the last' if part.is_last else ''}")
            self.parts.append(part)

    def _install(self, snapshot: Snapshot) -> None:
        self.installed.append(snapshot)
        super()._install(snapshot)

    def put_together(self) -> bytes:
        """What its disk holds of the newest snapshot that comes: all parts since the one at byte 0."""
        data = b""
        for part in self.parts:
            data = part.data if part.at == 0 else data + part.data
        return data


class SlowNode(Lone):
    """See the module."""

    @property
    def member(self) -> _SlowMember:
        """Its host."""
        found = self.group.members[1]
        assert isinstance(found, _SlowMember)
        return found

    @property
    def parts(self) -> list[tuple[int, int, bytes]]:
        """Chunks that it gave its host to save, as (index of the snapshot, where the bytes begin, bytes)."""
        return [(part.snapshot.last.index, part.at, part.data) for part in self.member.parts]

    def wanted_for(self, peer: int) -> list[ChunkWanted]:
        """Chunks that it gave its host to read for that follower."""
        return [wanted for wanted in self.member.wanted if wanted.peer == peer]

    # --- a snapshot of its own

    def take(self) -> Snapshot | None:
        """What a snapshot that is begun now stands for."""
        taken: Snapshot | None = self.node.take_snapshot()
        self.group.say(1, "takes snapshot", "nothing is new" if taken is None else f"behind {id_text(taken.last)}")
        return taken

    def taken_is_saved(self, snapshot: Snapshot, keep_from: int | None = None) -> None:
        """The host has it on disk."""
        self.group.go_on()
        self.member.snapshot, self.member.snapshot_data = snapshot, b" ".join(self.member.commands)
        self.group.say(1, "has snapshot", f"behind {id_text(snapshot.last)}")
        from_index = None if keep_from is None else LogIndex(keep_from)
        self.member.call(lambda node: node.snapshot_saved(snapshot, keep_from=from_index))

    # --- chunks

    def chunk_is_read(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> list[Message]:
        """The host has read what was wanted; None: that snapshot is not there, or its disk did not read it."""
        self._sent()
        what = "nothing" if data is None else f"{len(data)} bytes{', the last' if is_last else ''}"
        self.group.go_on()
        self.group.say(1, "has read", f"{id_text(wanted.snapshot.last)} from byte {wanted.at} on: {what}")
        self.member.call(lambda node: node.chunk_fetched(wanted, data, is_last=is_last))
        return self._sent()

    def is_received(self, snapshot: Snapshot) -> list[Message]:
        """All chunks are on disk."""
        self._sent()
        self.group.go_on()
        self.member.snapshot, self.member.snapshot_data = snapshot, self.member.put_together()
        self.group.say(1, "has all parts", f"of the snapshot behind {id_text(snapshot.last)}")
        self.member.call(lambda node: node.snapshot_received(snapshot))
        return self._sent()

    def has_no_room(self, snapshot: Snapshot) -> list[Message]:
        """A chunk could not be saved."""
        self._sent()
        self.group.go_on()
        self.group.say(1, "has no room", f"for the snapshot behind {id_text(snapshot.last)}")
        self.member.call(lambda node: node.snapshot_failed(snapshot))
        return self._sent()


def slow(bench: Bench, terms: Sequence[int] = (), **options: Any) -> SlowNode:
    """Node 1 of three. terms: of the entries in its log."""
    group = bench.group(3, lone=1, **options)
    member = _SlowMember(group, 1, group.configuration)
    if terms:
        entries = [command(index, term, b"") for index, term in enumerate(terms, 1)]
        member.log.append(LogIndex(0), entries, HardState(Term(terms[-1]), None))
        member.log.synced(1)
    member.start(group.raft_class, group.options)
    group.put(member)
    return SlowNode(group, (), None, None)


# --- a whole group


def with_compacted_log(bench: Bench) -> HandGroup:
    """Node 1 leads and has a snapshot behind entry 4 in place of its log, node 2 has all entries, node 3 has nothing."""
    nodes = bench.group(chunk_bytes_max=_CHUNK_BYTES)
    nodes.campaign(1)
    nodes.stabilize([1, 2])
    nodes.isolate(3)
    nodes.propose(1, b"aa", b"bb", b"cc")
    nodes.stabilize()
    nodes.snapshot(1)
    nodes.heal()
    first = nodes.members[1].log.first_index
    bench.see(first == 5, "the leader's snapshot stands for 4 entries: its log begins at 5", f"it begins at {first}")
    return nodes


def moved(bench: Bench, nodes: HandGroup, beats: int, *, lost: int | None = None, times: int = 1) -> list[SnapshotRequest]:
    """The leader's time passes, and what is sent arrives; the chunks that were sent.

    lost: which of the messages that speak of a snapshot is lost. times: how often each of the others arrives.
    Raises: PromiseBrokenError when messages bring other messages without an end.
    """
    sent: list[SnapshotRequest] = []
    of_snapshot = 0
    for _ in range(beats):
        nodes.tick(1, 2)
        for _ in range(_MESSAGES_MAX):
            if not nodes.flights:
                break
            message = nodes.flights[0].message
            way, copies = f"{message.sender}>{message.to}", 1
            if isinstance(message, SnapshotRequest | SnapshotReply):
                sent += [message] if isinstance(message, SnapshotRequest) else []
                copies = 0 if of_snapshot == lost else times
                of_snapshot += 1
            for _ in range(copies - 1):
                nodes.duplicate(way)
            if copies == 0:
                nodes.drop(way)
            for _ in range(copies):
                nodes.deliver(way)
        words = f"after two ticks, and {_MESSAGES_MAX} messages, nobody has anything to send"
        bench.see(not nodes.flights, words, "messages are still on their way")
    return sent
