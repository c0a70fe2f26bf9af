"""A student's Raft in another process, used by the deterministic world as if it were here."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple, Protocol

from labs.grader.remote import WrongTypeError
from labs.grader.seams import Make, Seam
from labs.grader.suite import PromiseBrokenError
from labs.stage3_raft.crossing import Abandoned, Did, Dropped, Life, Put, Refused, Reset, Seen, Synced, Turn, Wrote
from labs.stage3_raft.inside import HostedRaft
from mq.core.entry import Appended, Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Remove, Replace, Sync, Write
from mq.raft import messages
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import Message, Snapshot
from mq.raft.options import RaftOptions
from mq.raft.output import NOTHING, Chunk, ChunkWanted, EntriesWanted, Output, ReadReady, RoleChanged
from mq.raft.port import Chance, LogStorage
from mq.raft.role import Role

__all__ = ["RemoteRaft", "RemoteView", "raft_made_by", "raft_seam"]

_SAVED_ONCE = "A write to the log is handed out to be saved by the call that makes it"
_SAVED_THEN = "`Output.saves` holds what was written in this call, which no disk has yet"
_KEPT_BACK = "the call that wrote it did not hand it out: did something raise there, and was that swallowed?"
_ABOUT_OUTPUT = "mq/raft/output.py"
_CALLS = (
    "begin", "tick", "step", "campaign", "saved", "save_failed", "disk_failed", "applied", "fetched", "chunk_fetched",
    "take_snapshot", "snapshot_saved", "snapshot_received", "snapshot_failed", "propose", "read", "transfer", "change_members",
    "check", "turn",
)  # fmt: skip
_MESSAGES = (
    messages.VoteRequest, messages.VoteReply, messages.AppendRequest, messages.AppendReply, messages.SnapshotRequest,
    messages.SnapshotReply, messages.TimeoutNow,
)  # fmt: skip


def raft_seam(name: str, module: str) -> Seam:
    """Of a Raft whose class is called `name`, in the student's file `module`.py."""
    return Seam(
        HostedRaft, name, module, _CALLS, observed=(), inside=f"{HostedRaft.__module__}:{HostedRaft.__name__}",
        classes=(
            *_MESSAGES, Snapshot, Configuration, Output, Chunk, ChunkWanted, EntriesWanted, ReadReady, RoleChanged, Role,
            Appended, Entry, EntryKind, EntryId, HardState, RaftOptions, Life, Did, Seen, Refused, Put, Reset, Synced,
            Abandoned, Dropped, Turn, Create, Write, Sync, Replace, Remove,
        ),
    )  # fmt: skip


def raft_made_by(make: Make) -> Callable[..., Any]:
    """What makes the nodes of a `GroupWorld`: of a class that is here, or of one in another process."""
    if isinstance(make, type):
        return make

    def made(  # noqa: PLR0913 - as RaftNode is made
        node_id: int,
        log: WorldLog,
        chance: Chance,
        *,
        options: RaftOptions,
        configuration: Configuration,
        snapshot: Snapshot | None = None,
        later_configurations: Sequence[tuple[LogIndex, Configuration]] = (),
    ) -> RemoteRaft:
        base = EntryId(log.term_at(LogIndex(log.first_index - 1)) or Term(0), LogIndex(log.first_index - 1))
        kept, later = log.entries(log.first_index, log.last_index), tuple(later_configurations)
        now = (log.hard_state, log.is_damaged, chance.getstate() if isinstance(chance, Random) else None)
        life = Life(node_id, base, kept, *now, options, configuration, snapshot, later)
        return RemoteRaft(make(life), node_id, log)

    return made


class WorldLog(LogStorage, Protocol):
    """A world's log, which knows its entries."""

    def entries(self, first: int, last: int) -> tuple[Entry, ...]:
        """Those from `first` to `last`."""


class RemoteView(NamedTuple):
    """What is looked at of a node: a part of `mq.raft.view.NodeView`. What a leader knows of its followers stays over there."""

    node_id: int
    role: Role
    term: Term
    vote: int | None
    leader: int | None
    commit_index: LogIndex
    apply_to: LogIndex
    configuration: Configuration


class RemoteRaft:
    """Stands for a `RaftNode`. log: the world's own, which gets what the other one got, and judges it by the same rules.

    What the world reads of a node is what it showed after its last call.
    """

    def __init__(self, organ: Any, node_id: int, log: WorldLog) -> None:
        self._organ, self.node_id, self._log = organ, node_id, log
        self._planned: dict[int, Appended] = {}
        self._ahead: int | None = None
        self._on_disk = 0  # the last write that the disk was done with
        self._is_sound = False
        did = organ.begin()
        if did.seen is None or did.configuration is None:
            raise WrongTypeError("a node that was just made shows nothing of itself")
        self._seen: Seen = did.seen
        self.configuration: Configuration = did.configuration
        self._taken_over("begin", did)

    @property
    def term(self) -> Term:
        return self._seen.term

    @property
    def vote(self) -> int | None:
        return self._seen.vote

    @property
    def role(self) -> Role:
        return self._seen.role

    @property
    def leader(self) -> int | None:
        return self._seen.leader

    @property
    def commit_index(self) -> LogIndex:
        return self._seen.commit_index

    @property
    def snapshot(self) -> Snapshot:
        return self._seen.snapshot

    def view(self) -> RemoteView:
        """All of this, as it is now."""
        seen = self._seen
        return RemoteView(
            self.node_id, seen.role, seen.term, seen.vote, seen.leader, seen.commit_index, seen.apply_to, self.configuration
        )

    # --- calls

    def tick(self) -> Output:
        return self._call("tick")

    def step(self, message: Message) -> Output:
        return self._call("step", message)

    def campaign(self) -> Output:
        return self._call("campaign")

    def saved(self, sequence: int) -> Output:
        return self._call("saved", sequence - (self._ahead or 0))

    def save_failed(self, sequence: int) -> Output:
        return self._call("save_failed", sequence - (self._ahead or 0))

    def disk_failed(self) -> Output:
        return self._call("disk_failed")

    def applied(self, index: LogIndex) -> Output:
        return self._call("applied", index)

    def fetched(self, wanted: EntriesWanted, entries: Sequence[Entry]) -> Output:
        return self._call("fetched", wanted, tuple(entries))

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Output:
        return self._call("chunk_fetched", wanted, data, is_last=is_last)

    def take_snapshot(self) -> Snapshot | None:
        self._is_sound = False
        did: Did = self._organ.take_snapshot()
        self._is_sound = not did.is_unsound
        self._taken_over("take_snapshot", did)
        return did.taken

    def snapshot_saved(self, snapshot: Snapshot, *, keep_from: LogIndex | None = None) -> Output:
        return self._call("snapshot_saved", snapshot, keep_from=keep_from)

    def snapshot_received(self, snapshot: Snapshot) -> Output:
        return self._call("snapshot_received", snapshot)

    def snapshot_failed(self, snapshot: Snapshot) -> Output:
        return self._call("snapshot_failed", snapshot)

    def propose(self, payloads: Sequence[bytes]) -> Output:
        return self._call("propose", tuple(payloads))

    def read(self, context: int) -> Output:
        return self._call("read", context)

    def transfer(self, to: int) -> Output:
        return self._call("transfer", to)

    def change_members(self, voters: Sequence[int], learners: Sequence[int] = ()) -> Output:
        return self._call("change_members", tuple(voters), tuple(learners))

    def check(self) -> None:
        if not self._is_sound:
            self._call("check")

    def _call(self, name: str, *args: Any, **named: Any) -> Output:
        self._is_sound = False
        did: Did = getattr(self._organ, name)(*args, **named)
        self._is_sound = not did.is_unsound
        return self._taken_over(name, did)

    def _taken_over(self, name: str, did: Did) -> Output:
        """The world's log gets what that one got; then the output, with plans of the world's own log.

        Raises: NotLeaderError, ChangeRefusedError, as the Raft did; StateError for what no log takes; WrongTypeError.
        """
        for wrote in did.wrote:
            try:
                self._write(name, wrote)
            except StateError as error:
                error.add_note(f"`{name}`")
                raise
        if did.seen is not None:
            self._seen = did.seen
        if did.configuration is not None:
            self.configuration = did.configuration
        if did.refused is not None:
            if did.refused.kind == "change":
                raise ChangeRefusedError(did.refused.why)
            raise NotLeaderError(did.refused.leader)
        if did.output is None:
            return NOTHING
        output = did.output
        if output.saves:
            output = output._replace(saves=tuple(self._plan(name, save.sequence) for save in output.saves))
        if self._ahead and output.send_after:
            output = output._replace(send_after=tuple((number + self._ahead, message) for number, message in output.send_after))
        return output

    def _write(self, name: str, wrote: Wrote) -> None:
        match wrote:
            case Put():
                self._note(name, wrote.sequence, self._log.append(wrote.after_index, wrote.entries, wrote.hard_state))
            case Reset():
                self._note(name, wrote.sequence, self._log.reset(wrote.last, wrote.hard_state))
            case Synced():
                self._log.synced(wrote.sequence + (self._ahead or 0))
                self._on_disk = max(self._on_disk, wrote.sequence)
            case Abandoned():
                self._log.abandon(wrote.sequence + (self._ahead or 0))
            case Dropped():
                self._log.drop_before(wrote.below)

    def _note(self, name: str, sequence: int, appended: Appended) -> None:
        if self._ahead is None:
            self._ahead = appended.sequence - sequence  # an earlier life may have written to the world's log
        if appended.sequence != sequence + self._ahead:
            raise WrongTypeError(f"`{name}` wrote to a log that is not the one it was given")
        self._planned[sequence] = appended

    def _plan(self, name: str, sequence: int) -> Appended:
        planned = self._planned.pop(sequence, None)
        if planned is not None and sequence <= self._on_disk:
            found = f"`{name}` hands out write {sequence}, which is on the disk already"
            raise PromiseBrokenError(_SAVED_ONCE, expected=_SAVED_THEN, found=f"{found}; {_KEPT_BACK}", section=_ABOUT_OUTPUT)
        if planned is None:
            raise WrongTypeError(
                f"`{name}` returned an Output whose `saves` hold {sequence}, which the log did not plan just now"
            )
        return planned
