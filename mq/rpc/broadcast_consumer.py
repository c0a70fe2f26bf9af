"""Our own broadcast consumer: each instance gets every message, and the broker keeps for each how far it is.

An instance is known by its name: started again under the same one, it goes on where it was. Nothing is shared with the others of
the group, and there are no dead letters: what the listener refuses again and again is passed over. RocketMQ: the message model of
broadcasting, whose clients keep their progress in files of their own.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from mq.client.consuming import RetryPolicy, checked_subscriptions
from mq.client.inbox import Held, Inbox
from mq.client.views import PulledMessage
from mq.core.errors import IllegalArgumentError, MqError
from mq.rpc.listening import Listener, Listening
from mq.rpc.queue_reading import QueueReading, ReadingOptions, instance_group

__all__ = ["AsyncBroadcastConsumer"]

_RETRY = RetryPolicy(3, (1_000, 5_000))
_LOOK_S = 1.0
_log = logging.getLogger(__name__)


class AsyncBroadcastConsumer:
    """endpoints: registry nodes or brokers, HOST:PORT,... subscriptions: tags (`*`, `a || b`) by topic. Use `async with`.

    instance: this one's name within the group, the same at each of its starts. listener: takes a message by returning, and
    refuses it by raising; a coroutine function, or a plain one, which runs in a thread. concurrency: how many messages are
    handled at a time; those of one message group in order. retry: how often a message is tried, and the pauses. grace_s: at the
    end, so long the listener is waited for.
    """

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        endpoints: str,
        group: str,
        instance: str,
        subscriptions: Mapping[str, str],
        listener: Listener,
        *,
        concurrency: int = 16,
        cache_count: int = 1024,
        cache_bytes: int = 64 << 20,
        retry: RetryPolicy = _RETRY,
        options: ReadingOptions | None = None,
        grace_s: float = 30.0,
    ) -> None:
        wanted = checked_subscriptions(subscriptions)
        if not group or not instance:
            raise IllegalArgumentError("group, instance: both have to be named, or the broker could not keep the progress")
        if concurrency < 1:
            raise IllegalArgumentError(f"concurrency: {concurrency} is below 1")
        self._retry = retry
        self._inbox: Inbox[PulledMessage] = Inbox(cache_count, cache_bytes)
        chosen = replace(options or ReadingOptions(commit_every_ms=1_000), shares=False)
        self._reading = QueueReading(endpoints, instance_group(group, instance), wanted, chosen)
        self._listening = Listening(
            listener, self._inbox, concurrency=concurrency, view=lambda one: one.message, settle=self._settle, grace_s=grace_s
        )
        self._stack = AsyncExitStack()
        self.passed_over = 0
        """Messages that the listener refused each time."""

    async def __aenter__(self) -> "AsyncBroadcastConsumer":
        """Raises: RefusedError (TOPIC_NOT_FOUND and the like), and what says that no broker can be reached."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._reading)
            stack.push_async_callback(self._commit)
            await stack.enter_async_context(self._listening)
            handing = asyncio.create_task(self._hand_on())
            stack.callback(handing.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """What the listener is at is waited for; the rest comes at the next start."""
        await self._stack.aclose()

    async def _commit(self) -> None:
        try:
            await self._reading.commit()
        except MqError as error:
            _log.warning("how far this instance is was not told; some messages come again: %s", error)

    async def _hand_on(self) -> None:
        while True:
            await self._listening.room()
            for one in self._reading.take(32):
                group = one.message.message_group
                lane = f"{one.message.topic} {group}" if group else ""
                self._inbox.put((one.queue, one.message.offset), one, len(one.message.body), lane)
            self._listening.note()
            if self._reading.is_empty:
                await self._reading.news(_LOOK_S)
            else:
                await asyncio.sleep(0)

    async def _settle(self, held: Held[PulledMessage], is_taken: bool) -> int | None:  # noqa: FBT001 - `SettleBehind`
        """See `mq.rpc.listening.SettleBehind`."""
        attempt = held.attempts + 1
        if not is_taken and attempt < self._retry.attempts_max:
            return self._retry.delay_ms(attempt)
        if not is_taken:
            self.passed_over += 1
            _log.error("message %s is passed over after %d attempts", held.item.message.message_id, attempt)
        self._reading.progress.done(held.item.queue, held.item.message.offset)
        return None
