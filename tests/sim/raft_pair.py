"""A Raft group that is moved by hand, with the real log below each core: `RaftNode`, `CommitLog`, and a simulated disk.

Each verb is a step. Between a step and the next one nothing happens; within one, a judge may look at every operation of a disk.
"""

from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any
from zlib import crc32

from mq.broker.store.commit_log import CommitLog, Recovery
from mq.core.entry import Appended, Entry
from mq.core.errors import DiskFullError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan, drive, perform
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, Message, Snapshot, SnapshotReply, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import ChunkWanted, Output
from mq.raft.restart import later_configurations
from mq.raft.role import Role
from mq.sim.disk import SimDisk
from mq.sim.group.storage import decode_state, encode_state
from mq.sim.group.store_log import NotedLog, StoreMedium, open_log, read_entries
from mq.sim.group.store_snapshot import SavedSnapshot, forget_plan, save_plan, saved_snapshots

FIRST = Configuration.of(1, 2, 3)
NOTHING_SAVED = EntryId(Term(0), LogIndex(0))
OPTIONS = RaftOptions(
    election_ticks=10, heartbeat_ticks=1, entries_max=3, append_bytes_max=1 << 16, in_flight_max=2, recent_bytes_max=2000,
    chunk_bytes_max=100, has_pre_vote=False, has_check_quorum=False,
)  # fmt: skip
_WORDS = 20


class Promises:
    """What a node told others, and must know after any crash. term: the highest; votes: by term; acked: terms by index."""

    def __init__(self) -> None:
        self.term = 0
        self.votes: dict[int, int] = {}
        self.acked: dict[int, int] = {}

    def left(self, message: Message, acked: dict[int, int]) -> None:
        """A message is on the network now."""
        if getattr(message, "is_pre_vote", False):
            return
        self.term = max(self.term, message.term)
        match message:
            case VoteReply(is_granted=True):
                self.votes[message.term] = message.to
            case VoteRequest():
                self.votes[message.term] = message.sender
            case AppendReply(is_matching=True) | SnapshotReply(is_installed=True):
                self.acked.update(acked)

    def check(self, log: CommitLog, snapshot: EntryId) -> None:
        hard_state = log.hard_state
        assert hard_state.term >= self.term, f"it spoke in term {self.term}, and knows of {hard_state.term} only"
        vote = self.votes.get(hard_state.term, hard_state.vote)
        assert hard_state.vote == vote, f"its vote of term {hard_state.term} went to {vote}, and it says {hard_state.vote}"
        for index, term in self.acked.items():
            found = log.term_at(LogIndex(index))
            assert index <= snapshot.index or found == term, f"it acknowledged entry {index} of term {term}, and has {found}"


@dataclass(frozen=True)
class Found:
    """What lies on a disk, opened."""

    log: NotedLog
    recovery: Recovery
    entries: list[Entry]
    newest: SavedSnapshot | None

    @property
    def last(self) -> EntryId:
        """What the newest snapshot stands for."""
        return self.newest.snapshot.last if self.newest else NOTHING_SAVED


class Member:
    """A node, its host and its disk. The host keeps the order of `mq.raft.output`; the wrong ones below do not."""

    raft_class: type[RaftNode] = RaftNode
    log_class: type[NotedLog] = NotedLog
    segment_bytes = 1024

    def __init__(self, group: "Group", node_id: int) -> None:
        self.group, self.node_id = group, node_id
        self.disk, self.medium, self.promises = SimDisk(), StoreMedium(), Promises()
        self.is_news = False  # a promise left, or something became durable, since the judge looked
        self.start()

    # --- life

    @classmethod
    def opened(cls, disk: SimDisk, medium: StoreMedium, *, with_checkpoint: bool = True) -> Found:
        """What a restart finds; the repairs are carried out."""
        log, newest = cls.log_class(medium, segment_bytes=cls.segment_bytes), next(saved_snapshots(disk), None)
        recovery, entries = open_log(log, disk, newest.checkpoint if newest and with_checkpoint else None)
        return Found(log, recovery, entries, newest)

    def start(self) -> None:
        found = self.opened(self.disk, self.medium)
        assert not found.recovery.damage, found.recovery.damage
        self.medium.take_over(found.log, found.entries)
        self.log = found.log
        self.held: list[tuple[int, Message, dict[int, int]]] = []
        self.saves = deque[Appended]()  # what was handed out and is not carried out yet
        self.incoming = b""
        self.applied, self.checksum = decode_state(found.newest.state) if found.newest else (0, 0)
        self.node = self.raft_class(
            self.node_id, found.log, Random(self.node_id), options=OPTIONS, configuration=FIRST,
            snapshot=found.newest.snapshot if found.newest else None, later_configurations=self.later(found),
        )  # fmt: skip

    def later(self, found: Found) -> Sequence[tuple[LogIndex, Configuration]]:
        return drive(later_configurations(found.log, found.last), self.disk)

    # --- the host's order

    def carry_out(self, output: Output) -> None:
        for appended in output.saves:
            self.saves.append(appended)
            self._forget_superseded(appended.sequence)
        for message in output.send:
            self.leave(message, self.acked_by(message))
        for sequence, message in output.send_after:
            self.hold(sequence, message)
        for chunk in output.chunks:
            self.incoming = chunk.data if chunk.at == 0 else self.incoming + chunk.data
            if chunk.is_last:
                self.save_received(chunk.snapshot, self.incoming)
                self.carry_out(self.node.snapshot_received(chunk.snapshot))
        if output.install is not None:
            self._install(output.install)
        self._apply(output.apply_to)
        for wanted in output.fetch:
            if isinstance(wanted, ChunkWanted):
                self._fetch_chunk(wanted)
            else:
                last = min(wanted.last, self.log.durable_index)
                found = read_entries(self.log, self.disk, wanted.first, last, wanted.bytes_max)
                self.group.counts["entries fetched"] += len(found)
                self.carry_out(self.node.fetched(wanted, found))
        if output.forget:
            self.medium.drop_before(self.log.first_index)
            self.perform(output.forget)
            self.group.counts["segments forgotten"] += len(output.forget)
        self.node.check()

    def hold(self, sequence: int, message: Message) -> None:
        self.held.append((sequence, message, self.acked_by(message)))

    def leave(self, message: Message, acked: dict[int, int]) -> None:
        self.promises.left(message, acked)
        self.is_news = True
        self.group.post(message)

    def acked_by(self, message: Message) -> dict[int, int]:
        """What the message says to be durable: terms by index."""
        match message:
            case AppendReply(is_matching=True):
                indexes = range(int(self.log.first_index), message.match_index + 1)
                return {index: int(self.log.term_at(LogIndex(index)) or 0) for index in indexes}
            case SnapshotReply(is_installed=True):
                return {int(message.last.index): int(message.last.term)}
        return {}

    def _forget_superseded(self, sequence: int) -> None:
        """What the own log took away by itself, it need not know any more."""
        group = next(group for group in self.medium.waiting if group.sequence == sequence)
        self.group.note_group(group, self.medium)
        if group.entries or group.reset is not None:
            self.forget_acked(group.after_index)

    def forget_acked(self, after: int) -> None:
        for acked in (self.promises.acked, *(acked for _, _, acked in self.held)):
            for index in [index for index in acked if index > after]:
                del acked[index]

    # --- the disk

    def perform(self, plan: Plan) -> None:
        self.group.judge.watch(self, plan)

    def save(self) -> None:
        """The oldest plan is carried out; what waited for it comes true. A full disk takes everything back that waits."""
        appended = self.saves[0]
        try:
            self.perform(appended.plan)
        except DiskFullError:
            self.take_back()
            return
        self.saves.popleft()
        self.medium.sync(appended.sequence)
        self.saved(appended.sequence)

    def take_back(self) -> None:
        """There was no room: the newest plan first, and nothing that waited for one of them is sent."""
        self.group.counts["plans taken back"] += 1
        self.held, self.is_news = [], True
        while self.saves:
            self.carry_out(self.node.save_failed(self.saves.pop().sequence))

    def saved(self, sequence: int) -> None:
        self.is_news = True
        output = self.node.saved(sequence)
        for _, message, acked in [held for held in self.held if held[0] <= sequence]:
            self.leave(message, acked)
        self.held = [held for held in self.held if held[0] > sequence]
        self.carry_out(output)

    # --- the state machine, and snapshots of it

    def _apply(self, apply_to: int) -> None:
        if apply_to <= self.applied:
            return
        for entry in read_entries(self.log, self.disk, self.applied + 1, apply_to):
            self.group.check_committed(self.node_id, entry)
            self.promises.acked[entry.index] = entry.term
            self.applied, self.checksum = int(entry.index), crc32(entry.payload, self.checksum ^ entry.kind)
        self.carry_out(self.node.applied(LogIndex(self.applied)))

    def take_snapshot(self) -> None:
        snapshot = self.node.take_snapshot()
        assert snapshot is not None, "there is nothing new for a snapshot"
        self.save_own(snapshot, encode_state(self.applied, self.checksum, _WORDS, maker=self.node_id))
        self.perform(forget_plan(self.disk, snapshot.last.index))

    def save_own(self, snapshot: Snapshot, state: bytes) -> None:
        self.perform(save_plan(snapshot, state, self.log))
        self.carry_out(self.node.snapshot_saved(snapshot))

    def save_received(self, snapshot: Snapshot, state: bytes) -> None:
        if self.log.term_at(snapshot.last.index) != snapshot.last.term:
            self.forget_acked(snapshot.last.index)
        self.perform(save_plan(snapshot, state, self.log))

    def _install(self, snapshot: Snapshot) -> None:
        state = self.state_of(snapshot)
        assert state is not None
        self.applied, self.checksum = decode_state(state)
        self.group.counts["snapshots installed"] += 1
        self.carry_out(self.node.applied(LogIndex(self.applied)))

    def state_of(self, snapshot: Snapshot) -> bytes | None:
        return next((saved.state for saved in saved_snapshots(self.disk) if saved.snapshot == snapshot), None)

    def _fetch_chunk(self, wanted: ChunkWanted) -> None:
        state, end = self.state_of(wanted.snapshot), wanted.at + wanted.bytes_max
        data = None if state is None else state[wanted.at : end]
        self.carry_out(self.node.chunk_fetched(wanted, data, is_last=state is not None and end >= len(state)))


class NoJudge:
    """Looks at nothing."""

    def watch(self, member: Member, plan: Plan) -> None:
        """Carry out a plan of a member's disk."""
        perform(member.disk, plan)

    def step(self, group: "Group") -> None:
        """A step is done."""


class Group:
    """Three members and what is on its way between them. cut: who hears and reaches nobody. counts: what a run met. seed: of the
    order in which it settles."""

    def __init__(self, member_class: type[Member] = Member, judge: NoJudge | None = None, *, seed: int = 5) -> None:
        self.judge = judge or NoJudge()
        self.mail: deque[Message] = deque()
        self.cut: set[int] = set()
        self.committed: dict[int, Entry] = {}
        self.steps = 0
        self.rng = Random(seed)
        self.counts: dict[str, int] = dict.fromkeys(_MET, 0)
        self.members = {node_id: member_class(self, node_id) for node_id in FIRST.voters}

    def fork(self) -> "Group":
        """Another group that goes on from here; nobody judges it."""
        memo: dict[int, Any] = {id(member.disk): member.disk.copy() for member in self.members.values()}
        memo[id(self.judge)] = NoJudge()
        memo |= {id(entry): entry for member in self.members.values() for entry in member.medium.entries}
        memo |= {id(message): message for message in self.mail}
        return deepcopy(self, memo)

    def post(self, message: Message) -> None:
        if message.sender not in self.cut and message.to not in self.cut:
            self.mail.append(message)

    def check_committed(self, node_id: int, entry: Entry) -> None:
        known = self.committed.setdefault(int(entry.index), entry)
        assert known == entry, f"node {node_id} applies {entry} where {known} was committed"

    def note_group(self, group: Any, medium: StoreMedium) -> None:
        """Count what an append is."""
        if group.reset is not None:
            self.counts["resets"] += 1
        elif not group.entries:
            self.counts["hard states alone"] += 1
        else:
            self.counts["batches"] += len(group.entries) > 1
            before = {entry.index: entry.term for entry in medium.entries}
            for waiting in medium.waiting:
                if waiting.sequence < group.sequence:
                    before |= {entry.index: entry.term for entry in waiting.entries}
            superseded = before.get(group.entries[0].index)
            if superseded is not None and group.after_index < max(before):
                self.counts["superseded"] += 1
                self.counts["superseded by a lower term"] += group.entries[0].term < superseded

    # --- verbs

    def call(self, node_id: int, verb: Callable[[RaftNode], Output]) -> None:
        member = self.members[node_id]
        member.carry_out(verb(member.node))
        self._step()

    def _step(self) -> None:
        self.steps += 1
        self.judge.step(self)

    def campaign(self, node_id: int) -> None:
        self.counts["campaigns"] += 1
        self.call(node_id, lambda node: node.campaign())

    def propose(self, node_id: int, *payloads: bytes) -> None:
        self.call(node_id, lambda node: node.propose(payloads))

    def beat(self, node_id: int) -> None:
        """A tick, with which a leader sends heartbeats."""
        self.call(node_id, lambda node: node.tick())

    def save(self, node_id: int) -> None:
        self.members[node_id].save()
        self._step()

    def deliver(self) -> None:
        message = self.mail.popleft()
        self.call(message.to, lambda node: node.step(message))

    def snapshot(self, node_id: int) -> None:
        self.counts["snapshots taken"] += 1
        self.members[node_id].take_snapshot()
        self._step()

    def isolate(self, *node_ids: int) -> None:
        """From now on; what is on its way to them is lost."""
        self.cut = set(node_ids)
        self.mail = deque(m for m in self.mail if m.sender not in self.cut and m.to not in self.cut)

    def settle(self, *, steps_max: int = 2000) -> None:
        """Messages and saves, in an order by chance, until there are none."""
        for _ in range(steps_max):
            busy = [member.node_id for member in self.members.values() if member.saves]
            if not self.mail and not busy:
                return
            if self.mail and (not busy or self.rng.random() < 0.6):
                self.deliver()
            else:
                self.save(self.rng.choice(busy))
        raise StateError("the group never comes to rest")

    def leader(self) -> int | None:
        leading = [(member.node.term, node_id) for node_id, member in self.members.items() if member.node.role is Role.LEADER]
        return max(leading)[1] if leading else None


_MET = (
    "campaigns", "batches", "hard states alone", "superseded", "superseded by a lower term", "snapshots taken",
    "segments forgotten", "resets", "snapshots installed", "entries fetched", "plans taken back",
)  # fmt: skip
