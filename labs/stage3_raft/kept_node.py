"""A state of a student's Raft on the other side of the border, as the `node` of an explored host (`mq.sim.explore.host`).

The explorer's own searches, shrinker and stories do with it what they do with a Raft in their own process. See
`labs.stage3_raft.shelf` for what is kept over there, and for what is believed of it.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, TypeAlias

from labs.grader.remote import WrongTypeError
from labs.stage3_raft.crossing import Abandoned, Did, Dropped, Life, Put, Refused, Reset, Seen, Synced, Turn, Wrote
from labs.stage3_raft.shelf import Keeper, StumbledError
from mq.core.entry import Appended, Entry, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import Message, Snapshot
from mq.raft.options import RaftOptions
from mq.raft.output import NOTHING, ChunkWanted, EntriesWanted, Output
from mq.raft.port import Chance
from mq.raft.role import Role
from mq.sim.explore.memory_log import MemoryLog
from mq.sim.explore.scope import node_name

__all__ = ["JudgingLog", "KeptNode"]

_NOTHING_DONE = Did()
_Called: TypeAlias = tuple[str, tuple[Any, ...]]


class JudgingLog(MemoryLog):
    """A log that takes only what the broker's takes. Raises: StateError, as `CommitLog.append` does.

    And it is written to in order, so that a write that takes a vote away is one that takes it off the disk (`watching.KEPT`).
    """

    __slots__ = ()

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """See `LogStorage`."""
        if entries:
            self._check(after_index, entries, (hard_state or self.hard_state).term)
        elif hard_state is None:
            raise StateError("an append without entries and without hard state")
        self._check_vote(hard_state)
        return super().append(after_index, entries, hard_state)

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """See `LogStorage`."""
        self._check_vote(hard_state)
        return super().reset(last, hard_state)

    def _check_vote(self, now: HardState | None) -> None:
        before = self.hard_state
        if now is not None and now.term == before.term and before.vote not in {None, now.vote}:
            found = "none" if now.vote is None else f"one for {node_name(now.vote)}"
            was = f"its vote for {node_name(before.vote)} in term {now.term} was written to its log"
            raise StateError(f"{was}, and this write has {found} in its place: a vote stays as long as its term")

    def _check(self, after_index: int, entries: Sequence[Entry], own_term: int) -> None:
        first = entries[0].index
        if first != after_index + 1 or not self.first_index - 1 <= after_index <= self.last_index:
            held = f"{self.first_index} to {self.last_index}"
            raise StateError(f"entry {first} cannot stand behind {after_index}: the log holds {held}")
        before = self.term_at(LogIndex(after_index)) or 0
        for entry in entries:
            if entry.term < before:
                raise StateError(f"entry {entry.index} of term {entry.term} cannot stand behind one of term {before}")
            if entry.index <= self.last_index and entry.term == self.term_at(entry.index):
                raise StateError(f"entry {entry.index} of term {entry.term} is in the log already")
            before = entry.term
        if before > own_term:
            raise StateError(f"an entry of term {before} comes from a later term than the node's own, {own_term}")


class _View(NamedTuple):
    node_id: int
    role: Role
    term: Term
    vote: int | None
    leader: int | None
    commit_index: LogIndex


class KeptNode:
    """Stands for a `RaftNode` in a state of its own. log: the host's, which gets what the other one wrote, and judges it.

    heard: numbers of the calls since it became what it is. ahead: what was done over there and is not yet asked for here.
    """

    __slots__ = ("_ahead", "_keeper", "_log", "_planned", "_seen", "_taken", "configuration", "heard", "node_id", "shelved")

    def __init__(
        self, keeper: Keeper, node_id: int, log: MemoryLog, _chance: Chance, /, *, options: RaftOptions,
        configuration: Configuration, snapshot: Snapshot | None = None,
    ) -> None:  # fmt: skip
        life = Life(node_id, log.base, log.entries, log.hard_state, False, None, options, configuration, snapshot, ())  # noqa: FBT003
        self._keeper, self.node_id, self._log = keeper, node_id, log
        self._ahead: tuple[Turn, ...] = ()
        self._planned: tuple[int, ...] = ()
        self._taken: Snapshot | None = None
        self.heard: tuple[int, ...] = ()
        self.shelved, did = keeper.begun(life)
        if did.seen is None or did.configuration is None:
            raise StumbledError(WrongTypeError("a node that was just made shows nothing of itself"))
        self._seen: Seen = did.seen
        self.configuration: Configuration = did.configuration
        self._taken_over("begin", did)

    def copied(self, log: MemoryLog) -> "KeptNode":
        """Another one, of the same state, that writes to this log."""
        other = object.__new__(KeptNode)
        for name in KeptNode.__slots__:
            setattr(other, name, getattr(self, name))
        other._log = log
        return other

    def name(self) -> Hashable:
        """What is to be known of its state, beside its log."""
        newest = self._log.newest_save
        return self._seen, self.configuration, self.heard, tuple(number - newest for number in self._planned)

    def view(self) -> Any:
        """As much of `NodeView` as `Look` wants."""
        seen = self._seen
        return _View(self.node_id, seen.role, seen.term, seen.vote, seen.leader, seen.commit_index)

    @property
    def snapshot(self) -> Snapshot:
        """The newest one that it says it has."""
        return self._seen.snapshot

    # --- calls, see `RaftNode`

    def tick(self) -> Output:
        return self._call("tick")

    def step(self, message: Message) -> Output:
        return self._call("step", message)

    def campaign(self) -> Output:
        return self._call("campaign")

    def propose(self, payloads: Sequence[bytes]) -> Output:
        return self._call("propose", tuple(payloads))

    def saved(self, sequence: int) -> Output:
        return self._call("saved", int(sequence))

    def applied(self, index: LogIndex) -> Output:
        return self._call("applied", index)

    def fetched(self, wanted: EntriesWanted, entries: Sequence[Entry]) -> Output:
        return self._call("fetched", wanted, tuple(entries))

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Output:
        return self._call("chunk_fetched", wanted, data, is_last)

    def snapshot_saved(self, snapshot: Snapshot) -> Output:
        return self._call("snapshot_saved", snapshot, None)

    def snapshot_received(self, snapshot: Snapshot) -> Output:
        return self._call("snapshot_received", snapshot)

    def take_snapshot(self) -> Snapshot | None:
        self._call("take_snapshot")
        return self._taken

    def check(self) -> None:
        """Was done with the call before. Raises: StumbledError when more was done than was asked for."""
        if self._ahead:
            raise StumbledError(WrongTypeError(f"`{self._ahead[0].name}` was called, and nobody asked for it"))

    def _call(self, name: str, *args: Any) -> Output:
        number = args[0].first if name == "fetched" else args[0] if name in {"saved", "applied"} else 0
        if self._ahead:
            turn, self._ahead = self._ahead[0], self._ahead[1:]
            if (turn.name, turn.number) != (name, number):
                raise StumbledError(WrongTypeError(f"`{name}` is to be called, and what comes back is of `{turn.name}`"))
            return self._taken_over(name, turn.did or _NOTHING_DONE)
        before = (self._seen.role, self._seen.term)
        self.shelved, turns = self._keeper.called(self.shelved, name, args)
        if not turns or turns[0].name != name:
            raise StumbledError(WrongTypeError(f"`{name}` came back with nothing"))
        self._ahead = turns[1:]
        output = self._taken_over(name, turns[0].did or _NOTHING_DONE)
        self._note_heard(before, (name, args))
        return output

    def _note_heard(self, before: tuple[Role, Term], called: _Called) -> None:
        now = (self._seen.role, self._seen.term)
        has_become = now != before and self._seen.role in (Role.FOLLOWER, Role.LEADER)
        self.heard = () if has_become else tuple(sorted((*self.heard, self._keeper.number(called))))

    # --- what comes of them

    def _taken_over(self, name: str, did: Did) -> Output:
        """Raises: StateError for what no log takes; NotLeaderError, ChangeRefusedError, as the Raft did; StumbledError."""
        for wrote in did.wrote:
            try:
                self._write(name, wrote)
            except StateError as error:
                error.add_note(f"`{name}`")
                raise StumbledError(error) from error
        if did.seen is not None:
            self._seen = did.seen
        if did.configuration is not None:
            self.configuration = did.configuration
        self._taken = did.taken
        if did.refused is not None:
            raise _refusal(did.refused)
        if did.output is None:
            return NOTHING
        for save in did.output.saves:
            if save.sequence not in self._planned:
                said = f"`{name}` returned an Output whose `saves` hold {save.sequence}, which the log did not plan just now"
                raise StumbledError(WrongTypeError(said))
            self._planned = tuple(number for number in self._planned if number != save.sequence)
        return did.output

    def _write(self, name: str, wrote: Wrote) -> None:
        match wrote:
            case Put():
                self._note(name, wrote.sequence, self._log.append(wrote.after_index, wrote.entries, wrote.hard_state))
            case Reset():
                self._note(name, wrote.sequence, self._log.reset(wrote.last, wrote.hard_state))
            case Synced():
                self._log.synced(wrote.sequence)
            case Abandoned():
                self._log.abandon(wrote.sequence)
            case Dropped():
                self._log.drop_before(wrote.below)

    def _note(self, name: str, sequence: int, appended: Any) -> None:
        if appended.sequence != sequence:
            raise StumbledError(WrongTypeError(f"`{name}` wrote to a log that is not the one it was given"))
        self._planned = (*self._planned, sequence)


def _refusal(refused: Refused) -> Exception:
    return ChangeRefusedError(refused.why) if refused.kind == "change" else NotLeaderError(refused.leader)
