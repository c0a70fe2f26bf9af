"""Reading queues from an offset on: which ones, from where, and what the broker is told of how far that has come.

Nothing is hidden from anybody, and nothing is acknowledged: a reader has a position in each queue, which a broker keeps for its
group, or it keeps itself. What a pull consumer and a broadcast consumer share.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

from mq.client.allocation import allocation
from mq.client.membership import Membership, first_offset, offset_within
from mq.client.progress import Progress
from mq.client.queues import QueueName
from mq.client.rebalance import Change
from mq.client.route_cache import KnownQueue
from mq.client.views import PulledMessage
from mq.core.errors import Code, IllegalArgumentError, MqError, RefusedError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import new_client_id
from mq.rpc.pull_calls import PullCalls
from mq.rpc.routing import Routing
from mq.rpc.session import Session

__all__ = ["QueueReading", "ReadingOptions", "instance_group"]

_PAGE, _WAIT_MS, _AGAIN_S = 32, 15_000, 1.0
_log = logging.getLogger(__name__)


def instance_group(group: str, instance: str) -> str:
    """The name under which the broker keeps the progress of one instance that reads everything."""
    return f"{group}%{instance}"


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How a reader reads.

    start: where to begin in a queue in which the group never was, `earliest` or `latest`. shares: whether the members of the
    group share the queues, by the strategy `allocation`; else it reads all. commit_every_ms: how often the broker is told how far
    it is, 0 for only when it is asked to. look_every_ms: how often to look for queues and members; all members need the same.
    """

    start: str = "earliest"
    shares: bool = True
    allocation: str = "averagely"
    commit_every_ms: int = 5_000
    look_every_ms: int = 5_000
    timeout_s: float = 3.0
    route_every_ms: int = 30_000

    def __post_init__(self) -> None:
        """Raises: IllegalArgumentError."""
        allocation(self.allocation)
        if self.start not in ("earliest", "latest"):
            raise IllegalArgumentError(f"start: {self.start!r} is neither earliest nor latest")


@dataclass(slots=True, eq=False)
class _Reader:
    """Of one queue. at: where to read on. known: where the broker had the group. fetched: read ahead. error: why it fails."""

    queue: KnownQueue
    at: int
    known: int | None = None
    fetched: deque[PulledMessage] = field(default_factory=deque)
    error: MqError | None = None
    task: asyncio.Task[None] | None = None


class QueueReading:
    """Of one consumer. group: empty for one that keeps its offsets itself. subscriptions: tags by topic. Use `async with`."""

    def __init__(self, endpoints: str, group: str, subscriptions: Mapping[str, str], options: ReadingOptions) -> None:
        self._group, self._subscriptions, self._options = group, dict(subscriptions), options
        self.routing = Routing(endpoints, new_client_id(), every_ms=options.route_every_ms, timeout_s=options.timeout_s)
        self.calls = PullCalls(self.routing, group)
        self.progress = Progress()
        self._session = Session(self.routing, group=group, client_type=pb.PULL_CONSUMER, subscriptions=self._subscriptions)
        self._parts = {t: Membership(self.routing.client_id, allocation(options.allocation)) for t in self._subscriptions}
        self._readers: dict[QueueName, _Reader] = {}
        self._turn = 0
        self._news, self._need = asyncio.Event(), asyncio.Event()
        self._committing = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "QueueReading":
        """Raises: RefusedError (TOPIC_NOT_FOUND and the like), and what says that no broker can be reached."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.routing)
            for topic in self._subscriptions:
                await self.routing.queues(topic)
            if self._group:
                await stack.enter_async_context(self._session)
                await self._session.ready()
            stack.push_async_callback(self._stop_readers)
            if self._subscriptions:
                await self._look()
                self._keep(stack, self._look_forever())
            if self._group and self._options.commit_every_ms:
                self._keep(stack, self._commit_forever())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *ended: object) -> None:
        """The broker is told nothing here: see `commit`."""
        await self._stack.aclose()

    @staticmethod
    def _keep(stack: AsyncExitStack, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(end)

    async def _stop_readers(self) -> None:
        tasks = [reader.task for reader in self._readers.values() if reader.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- which queues

    async def known(self, name: QueueName) -> KnownQueue:
        """The queue of that name, with where it is. Raises: RefusedError (NOT_FOUND), MqError."""
        for queue in await self.routing.queues(name.topic):
            if queue.name == name:
                return queue
        raise RefusedError(Code.NOT_FOUND, f"the route of topic {name.topic} has no queue {name.queue_id} at {name.broker}")

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(self._options.look_every_ms / 1000)
            try:
                await self._look()
            except MqError as error:
                _log.info("the queues that are read stay as they are: %s", error)

    async def _look(self) -> None:
        members: Iterable[str] = ()
        if self._group and self._options.shares:
            await self._session.heartbeat()  # so that all members hear of this one at their next look
            members = await self.calls.members()
        for topic, part in self._parts.items():
            readable = [queue.name for queue in await self.routing.queues(topic) if queue.is_readable]
            failed = await self.change(part.look(readable, list(members)))
            part.own -= failed.keys()  # once more at the next look
            for name, error in failed.items():
                _log.info("%s is not read yet: %s", name, error)

    async def change(self, change: Change) -> dict[QueueName, MqError]:
        """Give queues up, with how far they were read told to the broker, and begin with others. Why some could not be begun."""
        if change.drop and self._group and self._options.commit_every_ms:
            try:
                await self.commit(change.drop)
            except MqError as error:  # whoever reads on reads some of it again
                _log.warning("how far queues were read that are given up was not told: %s", error)
        for name in change.drop:
            self._end(name)
        names = [name for name in change.take if name not in self._readers]
        begun = await asyncio.gather(*map(self._first, names), return_exceptions=True)
        failed: dict[QueueName, MqError] = {}
        for name, reader in zip(names, begun, strict=True):
            if isinstance(reader, _Reader):
                self._begin(reader)
            elif isinstance(reader, MqError):
                failed[name] = reader
            else:
                raise reader
        return failed

    async def _first(self, name: QueueName) -> _Reader:
        queue = await self.known(name)
        known = await self.calls.committed(queue) if self._group else None
        offset = first_offset(known, await self.calls.ends(queue), self._options.start)
        if self._group and known is None and self._options.start == "latest":
            await self.calls.commit(queue, offset)  # whoever reads it next begins here, too
            known = offset
        return _Reader(queue, offset, known)

    def _begin(self, reader: _Reader) -> None:
        self.progress.take(reader.queue.name, reader.at, reader.known)
        self._readers[reader.queue.name] = reader
        reader.task = asyncio.create_task(self._read_forever(reader))
        self._news.set()

    def _end(self, name: QueueName) -> None:
        self.progress.drop(name)
        reader = self._readers.pop(name, None)
        if reader is not None and reader.task is not None:
            reader.task.cancel()

    def seek(self, name: QueueName, offset: int) -> None:
        """Read on from there. Raises: IllegalArgumentError, for a queue that is not read here."""
        if name not in self._readers:
            raise IllegalArgumentError(f"queue: {name} is not read by this consumer")
        queue, told = self._readers[name].queue, self.progress
        task = self._readers[name].task
        if task is not None:
            task.cancel()
        told.seek(name, offset)
        reader = self._readers[name] = _Reader(queue, offset)
        reader.task = asyncio.create_task(self._read_forever(reader))

    # --- reading ahead

    async def _read_forever(self, reader: _Reader) -> None:
        topic = reader.queue.name.topic
        while True:
            while len(reader.fetched) >= _PAGE:
                self._need.clear()
                await self._need.wait()
            try:
                page = await self.calls.pull(
                    reader.queue, reader.at, count=_PAGE, wait_ms=_WAIT_MS, tags=self._subscriptions.get(topic, "*")
                )
            except MqError as error:
                reader.error = error
                self._news.set()
                if not (isinstance(error, RefusedError) and error.code == Code.ILLEGAL_OFFSET and await self._moved(reader)):
                    _log.info("reading %s is tried again: %s", reader.queue.name, error)
                    await asyncio.sleep(_AGAIN_S)
                continue
            reader.error, reader.at = None, page.next_offset
            reader.fetched.extend(page.messages)
            if not reader.fetched:
                self.progress.passed(reader.queue.name, page.next_offset)
            self._news.set()

    async def _moved(self, reader: _Reader) -> bool:
        """To the nearest offset that the queue still has."""
        try:
            ends = await self.calls.ends(reader.queue)
        except MqError:
            return False
        offset = offset_within(reader.at, ends)
        if offset == reader.at:
            return False
        _log.warning("%s has offsets %d to %d: reading goes on at %d, not at %d", reader.queue.name, *ends, offset, reader.at)
        reader.at = offset
        self.progress.seek(reader.queue.name, offset)
        return True

    def take(self, count_max: int) -> list[PulledMessage]:
        """What has been read ahead, each time from another queue first; it counts as given to be handled."""
        names, taken = sorted(self._readers), list[PulledMessage]()
        self._turn += 1
        for number in range(len(names)):
            reader = self._readers[names[(self._turn + number) % len(names)]]
            while reader.fetched and len(taken) < count_max:
                one = reader.fetched.popleft()
                self.progress.given(one.queue, one.message.offset)
                taken.append(one)
            if not reader.fetched:
                self.progress.passed(reader.queue.name, reader.at)
        self._need.set()
        return taken

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been read ahead."""
        return not any(reader.fetched for reader in self._readers.values())

    async def news(self, timeout_s: float | None) -> None:
        """Come back when more was read, or something else has changed, or after a while."""
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):  # `wait_for` of Python 3.11 can lose a cancellation
                await self._news.wait()

    def error(self) -> MqError | None:
        """Why nothing can be read just now; None when some queue can be."""
        errors = [reader.error for reader in self._readers.values()]
        return next((one for one in errors if one is not None), None) if errors and all(errors) else None

    # --- how far it is

    async def commit(self, names: Iterable[QueueName] | None = None) -> None:
        """Tell the broker what is done, of some queues or of all. Raises: IllegalArgumentError without a group; MqError."""
        if not self._group:
            raise IllegalArgumentError("group: there is none, so that no broker keeps an offset for this consumer")
        chosen = None if names is None else set(names)
        async with self._committing:
            for name, offset in self.progress.untold().items():
                if chosen is None or name in chosen:
                    await self.calls.commit(await self.known(name), offset)
                    self.progress.told(name, offset)

    async def _commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self._options.commit_every_ms / 1000)
            try:
                await self.commit()
            except MqError as error:
                _log.info("telling how far it is read is tried again: %s", error)
