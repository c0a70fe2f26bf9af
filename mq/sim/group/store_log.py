"""The broker's own commit log as a Raft log, and the truth about it: what the simulated disk must hold.

The log is `CommitLog` as it is; beside it everything that is asked of it is noted in a `StoreMedium`, a model without bytes.
After each crash what `CommitLog.recover` found is held against the model: it must be the log as of what is durable, or as
of one of the appends that were under way, and nothing else.
"""

from collections.abc import Sequence

from mq.broker.store.commit_log import Checkpoint, CommitLog, Recovery
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan, drive, perform
from mq.sim.disk import SimDisk
from mq.sim.group.light_log import Group, LightMedium

__all__ = ["NotedLog", "StoreMedium", "kept_groups", "open_log", "read_entries"]

_BYTES_MAX = 1 << 20


class StoreMedium(LightMedium):
    """What the disk must hold. floor: the index that the last reset began behind; nothing up to it may come back."""

    __slots__ = ("floor",)

    def __init__(self) -> None:
        super().__init__()
        self.floor = 0

    def _keep(self, group: Group) -> None:
        super()._keep(group)
        if group.reset is not None:
            self.floor = group.reset.index

    def copy(self) -> "StoreMedium":
        """An independent one."""
        other = StoreMedium()
        other.base, other.entries, other.hard_state = self.base, list(self.entries), self.hard_state
        other.is_damaged, other.floor = self.is_damaged, self.floor
        other.end, other.votes = self.end, set(self.votes)
        other.waiting.extend(self.waiting)
        return other

    def disagreement(self, log: CommitLog, entries: Sequence[Entry]) -> str:
        """In what a log with these entries differs from the durable part of this; "" when in nothing.

        Segments that were removed may be back: the log may hold more old entries than the model, but never from before a reset.
        """
        first, last, base = log.first_index, log.last_index, self.base
        if last != self.last_index:
            return f"it ends with entry {last} and not with {self.last_index}"
        if log.hard_state != self.hard_state:
            return f"it tells of {log.hard_state} and not of {self.hard_state}"
        if not self.floor < first <= base.index + 1:
            return f"it begins with entry {first}, between {self.floor + 1} and {base.index + 1} was expected"
        if log.term_at(base.index) != base.term:
            return f"it says that entry {base.index} is of term {log.term_at(base.index)} and not of {base.term}"
        found = list(entries[base.index + 1 - first :])
        if found != self.entries:
            index = next(one.index for one, other in zip(found, self.entries, strict=True) if one != other)
            return f"entry {index} is another one"
        return ""

    def take_over(self, log: CommitLog, entries: Sequence[Entry]) -> None:
        """All that was found is durable now, old entries that came back among it."""
        first = log.first_index
        self.base = EntryId(log.term_at(LogIndex(first - 1)) or Term(0), LogIndex(first - 1))
        self.entries, self.hard_state = list(entries), log.hard_state
        self.end = self.last_index
        self.waiting.clear()


def kept_groups(medium: StoreMedium, log: CommitLog, entries: Sequence[Entry]) -> int | None:
    """How many of the appends that waited a crash left on the disk; None when the log is as it never was."""
    state, kept = medium.copy(), None
    for count in range(len(medium.waiting) + 1):
        if not state.disagreement(log, entries):
            kept = count
        if state.waiting:
            state.sync(state.waiting[0].sequence)
    return kept


class NotedLog(CommitLog):
    """A commit log that notes in a medium what it is asked for. plans: by sequence, of what was not carried out yet."""

    def __init__(self, medium: StoreMedium, *, segment_bytes: int) -> None:
        super().__init__(segment_bytes=segment_bytes)
        self.medium = medium
        self.plans: dict[int, Plan] = {}

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """See `CommitLog`."""
        appended = super().append(after_index, entries, hard_state)
        return self._note(appended, Group(appended.sequence, after_index, tuple(entries), hard_state))

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """See `CommitLog`."""
        appended = super().reset(last, hard_state)
        return self._note(appended, Group(appended.sequence, last.index, (), hard_state, last))

    def _note(self, appended: Appended, group: Group) -> Appended:
        self.medium.waiting.append(group)
        self.plans[appended.sequence] = appended.plan
        return appended

    def abandon(self, sequence: int) -> None:
        """See `CommitLog`."""
        super().abandon(sequence)
        self.plans.pop(sequence)
        if self.medium.waiting and self.medium.waiting[-1].sequence == sequence:
            self.medium.waiting.pop()


def read_entries(log: CommitLog, disk: SimDisk, first: int, last: int, bytes_max: int = 1 << 60) -> list[Entry]:
    """Entries `first` to `last` of an open log, or the first of them up to `bytes_max` bytes; one at least."""
    found: list[Entry] = []
    size = 0
    while first <= last and (size < bytes_max or not found):
        for entry, place in drive(log.entries(LogIndex(first), LogIndex(last), min(bytes_max - size, _BYTES_MAX)), disk):
            found.append(entry)
            size += place.size_bytes
            first = entry.index + 1
    return found


def open_log(log: CommitLog, disk: SimDisk, checkpoint: Checkpoint | None) -> tuple[Recovery, list[Entry]]:
    """Recover, repair, and read everything; nothing is touched and nothing read when the log is damaged."""
    recovery = drive(log.recover(disk.files(), checkpoint), disk)
    if recovery.damage:
        return recovery, []
    perform(disk, recovery.repairs)
    return recovery, read_entries(log, disk, log.first_index, log.last_index)
