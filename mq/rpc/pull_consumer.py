"""Our own pull consumer: it reads queues from an offset on, and may go back. The broker keeps its place, or it does so itself."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mq.client.queues import QueueName
from mq.client.rebalance import Change
from mq.client.views import PulledMessage
from mq.core.errors import IllegalArgumentError
from mq.rpc.queue_reading import QueueReading, ReadingOptions, instance_group
from mq.rpc.routing import now_ms

__all__ = ["AsyncPullConsumer"]


class AsyncPullConsumer:
    """endpoints: registry nodes or brokers, HOST:PORT,... Use `async with`.

    group: whose place the broker keeps; empty when you keep it yourself. subscriptions: tags (`*`, `a || b`) by topic: the
    members of the group share the queues; without them, `assign` says which queues are read. instance: a name of your own: this
    consumer reads all queues, and has a place of its own in each (broadcast). options: see `ReadingOptions`.
    """

    def __init__(
        self,
        endpoints: str,
        group: str = "",
        subscriptions: Mapping[str, str] | None = None,
        *,
        instance: str = "",
        options: ReadingOptions | None = None,
    ) -> None:
        if instance and not group:
            raise IllegalArgumentError("instance: it needs a group, of which it is one")
        chosen = options or ReadingOptions()
        if instance:
            group, chosen = instance_group(group, instance), replace(chosen, shares=False)
        self._is_own_choice, self._group = not subscriptions, group
        self._commits = bool(group and chosen.commit_every_ms)
        self._reading = QueueReading(endpoints, group, subscriptions or {}, chosen)

    async def __aenter__(self) -> "AsyncPullConsumer":
        """Raises: RefusedError (TOPIC_NOT_FOUND and the like), and what says that no broker can be reached."""
        await self._reading.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """The last messages count as done, unless an error ends the block."""
        try:
            if kind is None:
                self._reading.progress.all_done()
            if self._commits:
                await self._reading.commit()
        finally:
            await self._reading.__aexit__()

    # --- queues

    async def queues(self, topic: str) -> tuple[QueueName, ...]:
        """All queues of a topic that can be read. Raises: MqError."""
        return tuple(sorted(queue.name for queue in await self._reading.routing.queues(topic) if queue.is_readable))

    async def assign(self, queues: Iterable[QueueName]) -> None:
        """Read these and no others, from the group's place on, or from the beginning. Raises: IllegalArgumentError; MqError."""
        if not self._is_own_choice:
            raise IllegalArgumentError("assign: this consumer has subscriptions, by which its queues are chosen")
        wanted, now = set(queues), set(self.assignment)
        for topic in {queue.topic for queue in wanted}:
            await self._reading.routing.queues(topic)
        failed = await self._reading.change(Change(tuple(sorted(now - wanted)), tuple(sorted(wanted - now))))
        if failed:
            raise next(iter(failed.values()))

    @property
    def assignment(self) -> tuple[QueueName, ...]:
        """The queues that are read now."""
        return self._reading.progress.queues

    # --- messages

    async def poll(self, count: int = 32, *, wait_s: float = 5.0) -> list[PulledMessage]:
        """Up to `count` messages; none when there is none within `wait_s`. What earlier polls gave counts as done.

        Raises: MqError, when nothing came and no queue can be read just now.
        """
        if count < 1 or wait_s < 0:
            raise IllegalArgumentError(f"count: {count}, wait_s: {wait_s}; at least one message, and no time below 0")
        self._reading.progress.all_done()
        end_ms = now_ms() + int(wait_s * 1000)
        while True:
            found = self._reading.take(count)
            left_ms = end_ms - now_ms()
            if found or left_ms <= 0:
                break
            await self._reading.news(left_ms / 1000)
        if not found and (error := self._reading.error()) is not None:
            raise error
        return found

    # --- places

    def position(self, queue: QueueName) -> int:
        """The offset of the message that comes next. Raises: IllegalArgumentError, for a queue that is not read here."""
        try:
            return self._reading.progress.position(queue)
        except KeyError:
            raise IllegalArgumentError(f"queue: {queue} is not read by this consumer") from None

    def seek(self, queue: QueueName, offset: int) -> None:
        """Go on there. Raises: IllegalArgumentError."""
        self._reading.seek(queue, offset)

    async def seek_to_begin(self, *queues: QueueName) -> None:
        """Go on at the first message that is kept, of these or of all. Raises: MqError."""
        for queue in queues or self.assignment:
            self.seek(queue, (await self._reading.calls.ends(await self._reading.known(queue)))[0])

    async def seek_to_end(self, *queues: QueueName) -> None:
        """Go on with what is stored from now on. Raises: MqError."""
        for queue in queues or self.assignment:
            self.seek(queue, (await self._reading.calls.ends(await self._reading.known(queue)))[1])

    async def seek_to_time(self, time_ms: int, *queues: QueueName) -> None:
        """Go on at the first message stored at or after a Unix time. Raises: MqError."""
        for queue in queues or self.assignment:
            self.seek(queue, await self._reading.calls.offset_at(await self._reading.known(queue), time_ms))

    async def commit(self) -> None:
        """All that was given so far is done: the broker keeps that. Raises: IllegalArgumentError without a group; MqError."""
        self._reading.progress.all_done()
        await self._reading.commit()

    async def committed(self, queue: QueueName) -> int | None:
        """Where the broker would let the group go on; None where it never was. Raises: IllegalArgumentError; MqError."""
        if not self._group:
            raise IllegalArgumentError("group: there is none, so that no broker keeps an offset for this consumer")
        return await self._reading.calls.committed(await self._reading.known(queue))
