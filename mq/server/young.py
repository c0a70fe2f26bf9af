"""Young entries of queues that point far back into the log: what retention may not take yet, however old it was when stored.

A queue may hold hundreds of thousands of them, which is long work. They are read page by page, in turns, and mostly once: what is
found is remembered until it is not young any more.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from mq.broker.store.consume_queue import ConsumeQueue, QueueEntry
from mq.core.ids import QueueOffset
from mq.server.reading import LogReader
from mq.server.turns import Turns

__all__ = ["YoungEntries"]

_PAGE_ENTRIES = 512


class _Page(NamedTuple):
    """Entries of a queue that were read in one go: from the one at offset `first` up to `upto`.

    lowest: the one of the lowest log index, the last if there are several. newest_ms: when the last one was stored.
    """

    first: QueueOffset
    upto: QueueOffset
    entry_count: int
    lowest: QueueEntry
    newest_ms: int

    @classmethod
    def of(cls, entries: Sequence[QueueEntry]) -> "_Page":
        lowest = min(reversed(entries), key=lambda entry: entry.log_index)
        return cls(QueueOffset(entries[0].base_offset), _behind(entries[-1]), len(entries), lowest, entries[-1].store_ms)


class _Window:
    """One queue's young entries, as far as they were read: up to the offset `upto`.

    pages: their lowest log index rises from one to the next. A page is left out when a later one has one as low: that stays young
    for longer.
    """

    def __init__(self, queue: ConsumeQueue, reader: LogReader) -> None:
        self.queue, self._reader, self._upto = queue, reader, QueueOffset(0)
        self._pages: deque[_Page] = deque()

    async def is_one_before(self, index: int, since_ms: int, turns: Turns) -> bool:
        await self._grow_old(since_ms)
        if not self._pages and self._upto < self.queue.max_offset:
            self._upto = max(self._upto, await self._reader.run(partial(self.queue.offset_at, since_ms)))
        while not self._pages or self._pages[0].lowest.log_index >= index:
            if not await self._read_on():
                return False
            if turns.is_over:
                await turns.pause()
        return True

    async def _grow_old(self, since_ms: int) -> None:
        """What was stored before that counts no more, nor what retention took meanwhile."""

        def is_young(entry: QueueEntry) -> bool:
            return entry.store_ms >= since_ms and _behind(entry) > self.queue.min_offset

        pages = self._pages
        while pages and not is_young(pages[0].lowest):
            page, young = pages[0], list[QueueEntry]()
            if page.newest_ms >= since_ms:
                entries = await self._entries(page.first, page.entry_count)
                young = [entry for entry in entries if entry.base_offset < page.upto and is_young(entry)]
            pages.popleft()
            if young:
                rest = _Page.of(young)
                if not pages or rest.lowest.log_index < pages[0].lowest.log_index:
                    pages.appendleft(rest)

    async def _read_on(self) -> bool:
        """One page more, or the last one once more if it was not full; False at the queue's end."""
        if self._upto >= self.queue.max_offset:
            return False
        pages = self._pages
        is_again = bool(pages) and pages[-1].entry_count < _PAGE_ENTRIES
        entries = await self._entries(pages[-1].first if is_again else self._upto, _PAGE_ENTRIES)
        if not entries:
            return False
        page = _Page.of(entries)
        if is_again:
            pages.pop()
        while pages and pages[-1].lowest.log_index >= page.lowest.log_index:
            pages.pop()
        pages.append(page)
        self._upto = page.upto
        return True

    async def _entries(self, offset: QueueOffset, entries_max: int) -> Sequence[QueueEntry]:
        return await self._reader.run(partial(self.queue.entries, offset, entries_max))


class YoungEntries:
    """Finds out whether there is one that points to before a log index."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._windows: dict[tuple[str, int], _Window] = {}

    async def is_one_before(self, index: int, queue: ConsumeQueue, since_ms: int, turns: Turns) -> bool:
        """Whether one of the queue's entries that were stored since a wall time stands for a log entry below `index`.

        They do not lie in the order of what they stand for. `since_ms` does not go back from call to call.
        Raises: DamageError, also when the queue's files are removed meanwhile.
        """
        key = (queue.topic, queue.queue_id)
        window = self._windows.get(key)
        if window is None or window.queue is not queue:
            window = self._windows[key] = _Window(queue, self._reader)
        return await window.is_one_before(index, since_ms, turns)

    def forget_all_but(self, queues: Iterable[ConsumeQueue]) -> None:
        """What was found of any other queue: it is not there any more."""
        there = {(queue.topic, queue.queue_id) for queue in queues} if self._windows else ()
        self._windows = {key: window for key, window in self._windows.items() if key in there}


def _behind(entry: QueueEntry) -> QueueOffset:
    return QueueOffset(entry.base_offset + entry.count)
