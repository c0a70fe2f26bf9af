"""The log as Raft sees it: a storage that plans, and its newest entries in memory, ready to be sent.

Paper: Raft, section 5.3.
"""

from collections.abc import Sequence

from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan
from mq.raft.port import LogStorage

__all__ = ["RaftLog"]


class RaftLog:
    """Entries by index.

    last: the newest entry, durable or not. The entries in memory are the newest ones without a gap; what is not durable is
    among them, but for what an append that was taken back left waiting: the storage holds it.
    """

    __slots__ = ("_first_recent", "_recent", "_recent_bytes", "_recent_bytes_max", "last", "storage")

    def __init__(self, storage: LogStorage, recent_bytes_max: int) -> None:
        self.storage, self._recent_bytes_max = storage, recent_bytes_max
        self._recent: list[Entry] = []
        self._recent_bytes = 0
        self._follow_storage()

    def _follow_storage(self) -> None:
        """The storage changed in a way that leaves nothing of what is in memory."""
        index = self.storage.last_index
        self.last = EntryId(self.storage.term_at(index) or Term(0), index)
        self._recent.clear()
        self._recent_bytes = 0
        self._first_recent = index + 1

    def term_at(self, index: int) -> Term | None:
        """Of an entry, or of the one before the first; None for what is not there."""
        if index == self.last.index:
            return self.last.term
        place = index - self._first_recent
        if 0 <= place < len(self._recent):
            return self._recent[place].term
        return self.storage.term_at(LogIndex(index))

    def has(self, entry: EntryId) -> bool:
        """Whether the log holds this entry, or stands right behind it."""
        return self.term_at(entry.index) == entry.term

    def recent(self, first: int, entries_max: int, bytes_max: int) -> tuple[Entry, ...] | None:
        """Entries from `first` on, as many as fit, but one at least; None when they are not in memory (any more)."""
        place = first - self._first_recent
        if place < 0:
            return None
        found = self._recent[place : place + entries_max]
        if self._recent_bytes <= bytes_max:
            return tuple(found)
        size = 0
        for count, entry in enumerate(found):
            size += len(entry.payload)
            if size > bytes_max and count:
                return tuple(found[:count])
        return tuple(found)

    def last_at_most(self, index: int, term: int) -> EntryId:
        """The last entry up to `index` whose term is at most `term`: nothing behind it can agree with a log that ends so.

        (0, 0) when there is none. Paper: Raft, section 5.3, the last paragraphs on skipping a whole term.
        """
        index = min(index, self.last.index)
        while index > 0:
            found = self.term_at(index)
            if found is None:
                break
            if found <= term:
                return EntryId(found, LogIndex(index))
            index -= 1
        return EntryId(Term(0), LogIndex(0))

    def append(self, after_index: int, entries: Sequence[Entry], hard_state: HardState | None) -> Appended:
        """Put entries behind `after_index`; what stood there is superseded."""
        appended = self.storage.append(LogIndex(after_index), entries, hard_state)
        if entries:
            if after_index < self.last.index:
                self._cut(after_index)
            self._recent += entries
            self._recent_bytes += sum(len(entry.payload) for entry in entries)
            self.last = EntryId(entries[-1].term, entries[-1].index)
        return appended

    def _cut(self, after_index: int) -> None:
        keep = after_index + 1 - self._first_recent
        if keep < 0:
            self._recent.clear()
            self._first_recent, self._recent_bytes = after_index + 1, 0
        else:
            self._recent_bytes -= sum(len(entry.payload) for entry in self._recent[keep:])
            del self._recent[keep:]

    def synced(self, sequence: int) -> None:
        """What was appended up to this one is durable, and may leave the memory when that is full."""
        self.storage.synced(sequence)
        if self._recent_bytes > self._recent_bytes_max:
            self._trim()

    def _trim(self) -> None:
        """Down to half of the limit, so that this is not done with each append."""
        count, durable = 0, self.storage.durable_index
        while self._recent_bytes > self._recent_bytes_max // 2 and self._first_recent + count <= durable:
            self._recent_bytes -= len(self._recent[count].payload)
            count += 1
        del self._recent[:count]
        self._first_recent += count

    def abandon(self, sequence: int) -> None:
        """The newest append was not carried out."""
        self.storage.abandon(sequence)
        self._follow_storage()

    def forget_before(self, index: int) -> Plan:
        """Entries below `index`, or some of them, are not needed any more."""
        return self.storage.drop_before(LogIndex(index))

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """A snapshot stands for everything up to `last`; no entry is kept."""
        appended = self.storage.reset(last, hard_state)
        self._follow_storage()
        return appended
