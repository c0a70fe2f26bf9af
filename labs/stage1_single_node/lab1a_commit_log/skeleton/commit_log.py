"""The commit log: the one place where messages and commands are written.

With one node it is the broker's log, in a group the same class is the Raft log's storage. It plans and a host
does: `append` returns what to write and sync, `entries` asks for what it wants to read. Written groups are
never changed: a later group with a lower index *supersedes* everything from that index on, whatever the terms,
also when the log is read again after a crash. Paper: Raft, section 5.3. `mq.raft.port.LogStorage` is the part of
this class that a Raft node needs.

RocketMQ: CommitLog, MappedFileQueue.
"""

from collections.abc import Mapping, Sequence

from lab1a_commit_log.recovery import recover_log
from lab1a_commit_log.scan import read_entries
from lab1a_commit_log.unsynced import Before, UnsyncedAppends
from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import Appended, Damage, Recovery, SegmentView, StoredEntry, TornTail
from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_record,
    encode_group,
    encode_segment_header,
)
from mq.broker.store.segment import Segment
from mq.core.entry import Entry, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import CommitLogPosition, EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Read, Remove, Steps, Sync, Write

__all__ = ["Appended", "Checkpoint", "CommitLog", "Damage", "Recovery", "SegmentView", "StoredEntry", "TornTail"]

_SEGMENT_BYTES = 64 << 20
_GROUP_EXTRA_BYTES = 128
"""More than header, hard state and padding of a group."""


class CommitLog:
    """Entries by index, records by place.

    Invariants (`check`): segments follow each other without a gap; first_index <= last_index + 1;
    durable_index <= last_index; durable_end <= end_position; each append's group lies in one segment.
    """

    def __init__(self, *, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self._segment_bytes = segment_bytes
        self._state = LogState()
        self._unsynced = UnsyncedAppends(self._state)
        self._sequence = 0
        self._must_roll = False  # the file of a segment that was taken back may be there
        self._must_mark = False  # a group that was taken back may stand at the end

    # --- what is there

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry that is kept; last_index + 1 when there is none."""
        return self._state.first_index

    @property
    def last_index(self) -> LogIndex:
        """Of the newest entry, durable or not; first_index - 1 when there is none."""
        return self._state.last_index

    @property
    def durable_index(self) -> LogIndex:
        """Of the newest entry that is durable and not superseded by one that is still to become it.

        While a reset is to become durable no entry counts: first_index - 1 as it was before, or what the reset says, if less.
        """
        return self._unsynced.durable_index

    @property
    def durable_end(self) -> CommitLogPosition:
        """Below this position everything is synced."""
        return self._state.durable_end

    @property
    def hard_state(self) -> HardState:
        """The newest term and vote, durable or not."""
        return self._state.hard_state

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What opening found."""
        return self._state.damage

    @property
    def is_damaged(self) -> bool:
        """Whether synced bytes were found damaged; nothing is appended then."""
        return bool(self._state.damage)

    @property
    def end_position(self) -> CommitLogPosition:
        """Behind the last group."""
        return CommitLogPosition(self._state.segments.end_position)

    @property
    def first_position(self) -> CommitLogPosition:
        """Where the oldest segment begins."""
        return CommitLogPosition(self._state.segments.first_position)

    @property
    def last_term(self) -> Term:
        """Of the last entry; 0 with an empty log."""
        return self.term_at(self.last_index) or Term(0)

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry or of the one before the first; None for what is not there, or not known any more."""
        term = self._state.term_at(index)
        return None if term is None else Term(term)

    def segments(self) -> tuple[SegmentView, ...]:
        """The segment files, the oldest first."""
        return self._state.segments.views(self.last_index)

    # --- writing

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """Add entries behind `after_index` as one group, superseding what follows it; durable after `synced`.

        hard_state: saved in the same step; entries may be empty then.
        Raises: StateError when the entries do not fit, or are in the log already; DamageError.
        """
        terms = [(int(entry.index), int(entry.term)) for entry in entries]
        self._check_append(after_index, terms, hard_state)
        state = self._state
        size = sum(RECORD_HEADER_BYTES + len(entry.payload) for entry in entries) + _GROUP_EXTRA_BYTES
        is_roll = self._must_roll or not state.segments or not state.segments[-1].has_room(size)
        before = Before(
            state.last_index, state.hard_state, state.noted_end, state.segments.end_position,
            superseded_from=after_index + 1 if entries and after_index < state.last_index else None,
            tail=state.map.tail(after_index + 1) if entries else None,
            is_roll=is_roll,
        )  # fmt: skip
        plan: list[Operation] = []
        if is_roll:
            state.segments.add(self._roll(size, plan))
        raise NotImplementedError("lab 1a: CommitLog.append")

    def _check_append(self, after_index: int, terms: Sequence[tuple[int, int]], hard_state: HardState | None) -> None:
        self._check_whole()
        if not terms:
            if hard_state is None:
                raise StateError("an append without entries and without hard state")
            return
        if terms[0][0] != after_index + 1:
            raise StateError(f"entry {terms[0][0]} cannot stand behind {after_index}")
        reason = self._state.what_does_not_fit(terms, hard_state)
        if reason is not None:
            raise StateError(reason)

    def _check_whole(self) -> None:
        if self.damage:
            first = self.damage[0]
            raise DamageError(first.file, first.at, f"nothing is appended to a damaged log: {first.reason}", first.position)

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """Forget all entries in one step; the next one follows `last`, which a snapshot stands for. Durable after `synced`.

        The snapshot must be durable before. Paper: Raft, section 7 and figure 13, rule 7.
        Raises: StateError when `last` is of a later term than the hard state; DamageError.
        """
        self._check_whole()
        if last.term > hard_state.term:
            raise StateError(f"entry {last.index} of term {last.term} comes from a later term than {hard_state.term}")
        state, plan = self._state, list[Operation]()
        before = Before(
            state.last_index, state.hard_state, state.noted_end, state.segments.end_position,
            superseded_from=min(state.first_index, last.index + 1), tail=None, is_roll=True,
        )  # fmt: skip
        old_files = [segment.file for segment in state.segments]
        segment = self._roll(0, plan, reset_to=(last, hard_state))
        before.forgotten = state.start_behind(last, hard_state, segment)
        # The header decides. The mark behind it proves ever after that the header was durable; only then may old files go,
        # the newest first, so that what is left of them never looks like a whole log.
        state.noted_end = segment.first_group_position
        mark, _ = encode_group(segment.first_group_position, state.noted_end, ())
        plan += (Write(segment.file, SEGMENT_HEADER_BYTES, mark), Sync(segment.file))
        plan += (Remove(file) for file in reversed(old_files))
        segment.end_position += len(mark)
        self._must_roll = self._must_mark = False
        self._sequence += 1
        self._unsynced.add(self._sequence, before)
        return Appended(tuple(plan), (), self._sequence)

    def _roll(self, group_bytes: int, plan: list[Operation], reset_to: tuple[EntryId, HardState] | None = None) -> Segment:
        """Begin a new segment, which is not yet among the others. Everything in the old one is durable before it exists.

        The header is durable before a group stands behind it: so one that is not whole is damage if there is a group,
        and else a segment that was being made. reset_to: what the log begins with there, when all before is forgotten.
        """
        raise NotImplementedError("lab 1a: CommitLog._roll")

    def synced(self, sequence: int) -> None:
        """The plans up to this one are carried out: what they hold is durable."""
        self._unsynced.synced(sequence)

    def note_durable(self) -> Plan:
        """A mark that says how far everything is durable, so that damage can be told from a torn write also at the very end.

        Need not be synced itself. Empty when the newest group says so already, or while something waits.
        """
        raise NotImplementedError("lab 1a: CommitLog.note_durable")

    def abandon(self, sequence: int) -> None:
        """The newest append could not be carried out (the disk is full): the log is as it was before it.

        Of several appends that wait, the newest is taken back first; no plan behind the one that failed may have been
        begun. What the plan wrote so far is overwritten by what is appended next.
        Raises: StateError for any other than the newest, and for one that is durable.
        """
        raise NotImplementedError("lab 1a: CommitLog.abandon")

    # --- reading

    def read(self, place: RecordPlace) -> Read:
        """What to read for the record at a place. Raises: StateError when it is not in the log (any more)."""
        raise NotImplementedError("lab 1a: CommitLog.read")

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        """Verify a record that was read, and decode it. Raises: DamageError naming file and byte; FormatError."""
        raise NotImplementedError("lab 1a: CommitLog.decode")

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        """Entries `first` to `last` in order, about `bytes_max` bytes of them but at least one; verified.

        Raises: StateError when `first` is not kept any more, not yet there, or not yet written; DamageError.
        """
        if not self.first_index <= first <= last <= self.last_index:
            raise StateError(f"entries {first} to {last}: the log holds {self.first_index} to {self.last_index}")
        return (yield from read_entries(self._state, first, last, bytes_max))

    # --- checkpoints and retention

    def checkpoint(self) -> Checkpoint:
        """Where a later recovery may begin: behind everything that is durable now. What waits is not in it."""
        position, next_index = int(self.durable_end), self._state.synced_index + 1
        terms = tuple(run for run in self._unsynced.durable_runs() if run[0] < next_index)
        heads = tuple((base, index) for base, index in self._unsynced.durable_heads().items() if base <= position)
        first_position = self._unsynced.durable_segments.first_position
        return Checkpoint(max(position, first_position), next_index, self._unsynced.durable_hard_state, terms, heads)

    def drop_before(self, index: LogIndex) -> Plan:
        """Remove whole segments all of whose entries are below `index`; never the last one, and nothing not yet durable."""
        raise NotImplementedError("lab 1a: CommitLog.drop_before")

    # --- opening

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        """Find out what is there. Call it once, before anything else, and carry out `Recovery.repairs`.

        files: of the data folder, with sizes. checkpoint: the part before it is not read.
        Raises: FormatError when something was written by a newer program; nothing is touched then.
        """
        return (yield from recover_log(self._state, files, checkpoint))

    def check(self) -> None:
        """Raises: StateError when an invariant is broken."""
        self._state.check()
        if self.durable_index > self.last_index:
            raise StateError(f"entry {self.durable_index} is durable, the last one is {self.last_index}")


def _places(position: int, sizes: Sequence[int]) -> tuple[RecordPlace, ...]:
    """Of a group's records."""
    places = []
    at = position + GROUP_HEADER_BYTES
    for size_bytes in sizes:
        places.append(RecordPlace(CommitLogPosition(at), size_bytes))
        at += size_bytes
    return tuple(places)
