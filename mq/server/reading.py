"""Reading back what is stored, without holding up the event loop.

Bytes that the operating system has in memory are read at once; others in a thread. A core that reads in steps
is run in one go: if it meets cold bytes, they are fetched and it is run again from its start, so that nothing
can change between its first look and its last.

The log alone is made for changes between two of its reads, so its entries are read in turns. It needs that: who asks first for an
entry of a segment that opening passed over has the log read all of it, to learn where its entries lie.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence, Set
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from mq.broker.store.commit_log import CommitLog, StoredEntry
from mq.broker.store.consume_queue import QueueEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.entry import Entry, RecordPlace
from mq.core.errors import DamageError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Read, Steps
from mq.server.disk import FileDisk, WouldBlockError
from mq.server.turns import Turns

__all__ = ["LogReader"]

_T = TypeVar("_T")
_CACHE_BYTES_MAX = 32 << 20
_SLICE_BYTES = 256 << 10
_SEARCH_READS_MAX, _SEARCH_BYTES_MAX = 2, 2 << 20
"""Where the log knows its way, an entry is found by less; a search that goes beyond both is a long one."""


class LogReader:
    """Stored batches, through a small cache of what was applied or read last. records: without the cache, in steps.

    on_damage: called with what a reading found, before whoever reads is told.
    """

    def __init__(self, log: CommitLog, disk: FileDisk) -> None:
        self._log, self._disk = log, disk
        self._searched = _SearchedLog(log)
        self.records = RecordReader(self._searched)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._cached_bytes = 0
        self.cold_reads = 0
        self.on_damage: Callable[[DamageError], None] = lambda _damage: None

    def remember(self, log_index: int, payload: bytes) -> None:
        """Keep the payload of an entry, which must be applied: its index means nothing else any more. The oldest go."""
        if log_index in self._cache:
            return
        self._cache[log_index] = payload
        self._cached_bytes += len(payload)
        while self._cached_bytes > _CACHE_BYTES_MAX:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])

    def forget_all(self) -> None:
        """Drop the cache: whatever is asked for next is read and verified again."""
        self._cache.clear()
        self._cached_bytes = 0

    def is_gone(self, entry: QueueEntry) -> bool:
        """Whether retention took the message although its queue goes further back."""
        return self.records.is_gone(entry)

    async def stored(self, entry: QueueEntry) -> bytes:
        """The batch that a consume-queue entry stands for. Raises: DamageError, DiskError; StateError when it is gone."""
        payload = self._cache.get(entry.log_index)
        if payload is None:
            payload = await self.run(partial(self.records.payload, entry))
            self.remember(entry.log_index, payload)
        return payload

    async def record(self, place: RecordPlace) -> Entry:
        """What lies at a place, applied or not. Raises: DamageError, DiskError; StateError when it is gone."""
        read = self._log.read(place)
        try:
            data = self._disk.read_now(read)
        except WouldBlockError:
            data = await self._fetch(read)
        try:
            return self._log.decode(place, data)
        except DamageError as damage:
            self.on_damage(damage)
            raise

    async def run(self, steps: Callable[[], Steps[_T]]) -> _T:
        """Run a reading core. What it has `records` search for in the log is found in turns first. Raises what it raises."""
        fetched: dict[Read, bytes] = {}
        known: set[LogIndex] = set()
        while True:
            self._searched.known = known
            try:
                return self._run_now(steps(), fetched)
            except _ColdError as cold:
                fetched[cold.read] = await self._fetch(cold.read)
            except _LongSearchError as search:
                known.add(search.first)
                with suppress(StateError):  # the core meets it, too, and knows what it means
                    await self.entries(search.first, search.last, search.bytes_max)
            except DamageError as damage:
                self.on_damage(damage)
                raise

    async def entries(self, first: LogIndex, last: LogIndex, bytes_max: int, turns: Turns | None = None) -> Sequence[StoredEntry]:
        """As `CommitLog.entries`, in turns. Raises: StateError, DamageError, DiskError."""
        steps = partial(self._log.entries, first, last, bytes_max)
        try:
            return await self._run_in_turns(steps(), turns or Turns())
        except DamageError:
            # In one go before it is believed: a file that retention took away meanwhile is no damage.
            return await self.run(steps)

    async def slowly(self, first: int, last: int, *, share: float) -> AsyncIterator[Sequence[StoredEntry]]:
        """Entries `first` to `last` in slices, verified, between which others have their turn.

        share: of the event loop's time that this may take up. Raises: DamageError, StateError.
        """
        turns = Turns(share)
        while first <= last:
            entries = await self.entries(LogIndex(first), LogIndex(last), _SLICE_BYTES, turns)
            if not entries:
                return  # a newer leader superseded the rest meanwhile
            first = entries[-1].entry.index + 1
            yield entries
            await turns.pause()

    async def _fetch(self, read: Read) -> bytes:
        """Read in a thread; afterwards the operating system has these bytes in memory."""
        self.cold_reads += 1
        return await asyncio.to_thread(self._disk.read, read)

    def _run_now(self, steps: Steps[_T], fetched: dict[Read, bytes]) -> _T:
        try:
            wanted = next(steps)
            while True:
                data = fetched.get(wanted)
                if data is None:
                    try:
                        data = self._disk.read_now(wanted)
                    except WouldBlockError:
                        steps.close()
                        raise _ColdError(wanted) from None
                wanted = steps.send(data)
        except StopIteration as done:
            return cast(_T, done.value)

    async def _run_in_turns(self, steps: Steps[_T], turns: Turns) -> _T:
        """Cold bytes are waited for where they are met. What is read may change between two steps."""
        try:
            wanted = next(steps)
            while True:
                if turns.is_over:
                    await turns.pause()
                try:
                    data = self._disk.read_now(wanted)
                except WouldBlockError:
                    data = await self._fetch(wanted)
                wanted = steps.send(data)
        except StopIteration as done:
            return cast(_T, done.value)
        finally:
            steps.close()

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        """Verify and decode a record read elsewhere."""
        return self._log.decode(place, data)


class _ColdError(Exception):
    def __init__(self, read: Read) -> None:
        super().__init__()
        self.read = read


class _LongSearchError(Exception):
    def __init__(self, first: LogIndex, last: LogIndex, bytes_max: int) -> None:
        super().__init__()
        self.first, self.last, self.bytes_max = first, last, bytes_max


class _SearchedLog:
    """The log for who reads it in one go: a long search ends with an error, but for those whose first entry is `known`."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self.known: Set[LogIndex] = frozenset()

    @property
    def first_index(self) -> LogIndex:
        return self._log.first_index

    @property
    def durable_index(self) -> LogIndex:
        return self._log.durable_index

    def term_at(self, index: LogIndex) -> Term | None:
        return self._log.term_at(index)

    def read(self, place: RecordPlace) -> Read:
        return self._log.read(place)

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        return self._log.decode(place, data)

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        steps = self._log.entries(first, last, bytes_max)
        reads = size_bytes = 0
        try:
            wanted = next(steps)
            while True:
                reads, size_bytes = reads + 1, size_bytes + wanted.size_bytes
                if reads > _SEARCH_READS_MAX and size_bytes > _SEARCH_BYTES_MAX and first not in self.known:
                    raise _LongSearchError(first, last, bytes_max)
                wanted = steps.send((yield wanted))
        except StopIteration as done:
            return cast(tuple[StoredEntry, ...], done.value)
        finally:
            steps.close()
