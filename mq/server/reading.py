"""Reading back what is stored, without holding up the event loop.

Bytes that the operating system has in memory are read at once; others in a thread. A core that reads in steps
is run in one go: if it meets cold bytes, they are fetched and it is run again from its start, so that nothing
can change between its first look and its last.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TypeVar, cast

from mq.broker.store.commit_log import CommitLog, StoredEntry
from mq.broker.store.consume_queue import QueueEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.entry import Entry, RecordPlace
from mq.core.errors import DamageError
from mq.core.ids import LogIndex
from mq.core.ports import Read, Steps
from mq.server.disk import FileDisk, WouldBlockError

__all__ = ["LogReader"]

_T = TypeVar("_T")
_CACHE_BYTES_MAX = 32 << 20
_SLICE_BYTES = 256 << 10


class LogReader:
    """Stored batches, through a small cache of what was applied or read last. records: without the cache, in steps.

    on_damage: called with what a reading found, before whoever reads is told.
    """

    def __init__(self, log: CommitLog, disk: FileDisk) -> None:
        self._log, self._disk = log, disk
        self.records = RecordReader(log)
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
        """Run a reading core. Raises what it raises."""
        fetched: dict[Read, bytes] = {}
        while True:
            try:
                return self._run_now(steps(), fetched)
            except _ColdError as cold:
                fetched[cold.read] = await self._fetch(cold.read)
            except DamageError as damage:
                self.on_damage(damage)
                raise

    async def slowly(self, first: int, last: int, *, share: float) -> AsyncIterator[Sequence[StoredEntry]]:
        """Entries `first` to `last` in slices, verified, between which others have their turn.

        share: of the event loop's time that this may take up. Raises: DamageError, StateError.
        """
        while first <= last:
            began_s = time.monotonic()
            entries = await self.run(partial(self._log.entries, LogIndex(first), LogIndex(last), _SLICE_BYTES))
            if not entries:
                return  # a newer leader superseded the rest meanwhile
            first = entries[-1].entry.index + 1
            yield entries
            await asyncio.sleep((time.monotonic() - began_s) * (1 / share - 1))

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

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        """Verify and decode a record read elsewhere."""
        return self._log.decode(place, data)


class _ColdError(Exception):
    def __init__(self, read: Read) -> None:
        super().__init__()
        self.read = read
