"""Our own clients as blocking calls. Each is its asynchronous twin, run by an event loop in a thread; use `with`.

All methods may be called from several threads. They raise what their twins raise: `MqError`, whose kinds are in `mq.core.errors`
and `mq.client.errors`.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Self, TypeVar

from mq.client.consuming import RetryPolicy
from mq.client.queues import QueueName
from mq.client.views import BatchResult, MessageView, PulledMessage, ReceivedMessage, SentMessage
from mq.core.errors import IllegalArgumentError
from mq.rpc.background import Background
from mq.rpc.broadcast_consumer import AsyncBroadcastConsumer
from mq.rpc.producer import AsyncProducer
from mq.rpc.pull_consumer import AsyncPullConsumer
from mq.rpc.push_consumer import AsyncPushConsumer
from mq.rpc.queue_reading import ReadingOptions
from mq.rpc.simple_consumer import AsyncSimpleConsumer

__all__ = ["BroadcastConsumer", "Producer", "PullConsumer", "PushConsumer", "SimpleConsumer"]

C = TypeVar("C", bound=AbstractAsyncContextManager[Any])
T = TypeVar("T")


class _Blocking(Generic[C]):
    """What they share. make: the twin, which is made in the loop."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._background = Background()
        self._open: C | None = None

    @property
    def _twin(self) -> C:
        if self._open is None:
            raise IllegalArgumentError(f"{type(self).__name__}: it is not open; use `with {type(self).__name__}(...) as ...:`")
        return self._open

    def __enter__(self) -> Self:
        if self._open is not None:
            raise IllegalArgumentError(f"{type(self).__name__}: it is open already")

        async def enter() -> C:
            twin = self._make()
            await twin.__aenter__()
            return twin

        self._background.__enter__()
        try:
            self._open = self._background.run(enter())
        except BaseException:
            self._background.__exit__()
            raise
        return self

    def __exit__(self, *ended: Any) -> None:
        twin, self._open = self._twin, None

        async def leave() -> None:
            await twin.__aexit__(*ended)

        try:
            self._background.run(leave())
        finally:
            self._background.__exit__()

    def _run(self, work: Callable[[C], Coroutine[Any, Any, T]]) -> T:
        return self._background.run(work(self._twin))


class Producer(_Blocking[AsyncProducer]):
    """See `AsyncProducer`."""

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        endpoints: str,
        *,
        choice: str = "round_robin",
        attempts_max: int = 3,
        timeout_s: float = 3.0,
        route_every_ms: int = 30_000,
        linger_ms: int = 0,
        batch_bytes: int = 256 << 10,
        compress_over_bytes: int | None = None,
    ) -> None:
        super().__init__(
            lambda: AsyncProducer(
                endpoints, choice=choice, attempts_max=attempts_max, timeout_s=timeout_s, route_every_ms=route_every_ms,
                linger_ms=linger_ms, batch_bytes=batch_bytes, compress_over_bytes=compress_over_bytes,
            )
        )  # fmt: skip

    def send(  # noqa: PLR0913 - by keyword, each a field of the message
        self,
        topic: str,
        body: bytes,
        *,
        tag: str = "",
        keys: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        message_group: str = "",
        delivery_ms: int | None = None,
        routing_key: str = "",
    ) -> SentMessage:
        """See `AsyncProducer.send`. With `linger_ms` it waits for others as well: `send_async` lets them come."""
        return self.send_async(
            topic, body, tag=tag, keys=keys, properties=properties, message_group=message_group, delivery_ms=delivery_ms,
            routing_key=routing_key,
        ).result()  # fmt: skip

    def send_async(  # noqa: PLR0913 - by keyword, each a field of the message
        self,
        topic: str,
        body: bytes,
        *,
        tag: str = "",
        keys: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        message_group: str = "",
        delivery_ms: int | None = None,
        routing_key: str = "",
    ) -> "Future[SentMessage]":
        """As `send`, and come back at once: the future ends when the message is stored, or with the error."""
        return self._background.begin(
            self._twin.send(
                topic, body, tag=tag, keys=keys, properties=properties, message_group=message_group, delivery_ms=delivery_ms,
                routing_key=routing_key,
            )
        )  # fmt: skip

    def send_batch(
        self,
        topic: str,
        bodies: Sequence[bytes],
        *,
        tag: str = "",
        properties: Mapping[str, str] | None = None,
        message_group: str = "",
        routing_key: str = "",
    ) -> BatchResult:
        """See `AsyncProducer.send_batch`."""
        return self._run(
            lambda twin: twin.send_batch(
                topic, bodies, tag=tag, properties=properties, message_group=message_group, routing_key=routing_key
            )
        )


class PushConsumer(_Blocking[AsyncPushConsumer]):
    """See `AsyncPushConsumer`. listener: runs in threads, up to `concurrency` at a time; it works within `with`."""

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        endpoints: str,
        group: str,
        subscriptions: Mapping[str, str],
        listener: Callable[[MessageView], Any],
        *,
        concurrency: int = 16,
        cache_count: int = 1024,
        cache_bytes: int = 64 << 20,
        timeout_s: float = 3.0,
        route_every_ms: int = 30_000,
        grace_s: float = 30.0,
    ) -> None:
        super().__init__(
            lambda: AsyncPushConsumer(
                endpoints, group, subscriptions, listener, concurrency=concurrency, cache_count=cache_count,
                cache_bytes=cache_bytes, timeout_s=timeout_s, route_every_ms=route_every_ms, grace_s=grace_s,
            )
        )  # fmt: skip


class BroadcastConsumer(_Blocking[AsyncBroadcastConsumer]):
    """See `AsyncBroadcastConsumer`. listener: runs in threads, up to `concurrency` at a time; it works within `with`."""

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        endpoints: str,
        group: str,
        instance: str,
        subscriptions: Mapping[str, str],
        listener: Callable[[MessageView], Any],
        *,
        concurrency: int = 16,
        retry: RetryPolicy | None = None,
        options: ReadingOptions | None = None,
        grace_s: float = 30.0,
    ) -> None:
        more: dict[str, Any] = {} if retry is None else {"retry": retry}
        super().__init__(
            lambda: AsyncBroadcastConsumer(
                endpoints, group, instance, subscriptions, listener, concurrency=concurrency, options=options, grace_s=grace_s,
                **more
            )
        )  # fmt: skip


class SimpleConsumer(_Blocking[AsyncSimpleConsumer]):
    """See `AsyncSimpleConsumer`."""

    def __init__(
        self,
        endpoints: str,
        group: str,
        subscriptions: Mapping[str, str],
        *,
        invisible_ms: int = 30_000,
        timeout_s: float = 3.0,
        route_every_ms: int = 30_000,
    ) -> None:
        super().__init__(
            lambda: AsyncSimpleConsumer(
                endpoints, group, subscriptions, invisible_ms=invisible_ms, timeout_s=timeout_s, route_every_ms=route_every_ms
            )
        )

    def receive(self, count: int = 16, *, wait_s: float = 5.0, invisible_ms: int | None = None) -> list[ReceivedMessage]:
        """See `AsyncSimpleConsumer.receive`."""
        return self._run(lambda twin: twin.receive(count, wait_s=wait_s, invisible_ms=invisible_ms))

    def ack(self, *messages: ReceivedMessage) -> None:
        """See `AsyncSimpleConsumer.ack`."""
        self._run(lambda twin: twin.ack(*messages))

    def change_invisible(self, received: ReceivedMessage, invisible_ms: int) -> ReceivedMessage:
        """See `AsyncSimpleConsumer.change_invisible`."""
        return self._run(lambda twin: twin.change_invisible(received, invisible_ms))


class PullConsumer(_Blocking[AsyncPullConsumer]):
    """See `AsyncPullConsumer`."""

    def __init__(
        self,
        endpoints: str,
        group: str = "",
        subscriptions: Mapping[str, str] | None = None,
        *,
        instance: str = "",
        options: ReadingOptions | None = None,
    ) -> None:
        super().__init__(lambda: AsyncPullConsumer(endpoints, group, subscriptions, instance=instance, options=options))

    def queues(self, topic: str) -> tuple[QueueName, ...]:
        """See `AsyncPullConsumer.queues`."""
        return self._run(lambda twin: twin.queues(topic))

    def assign(self, queues: Iterable[QueueName]) -> None:
        """See `AsyncPullConsumer.assign`."""
        self._run(lambda twin: twin.assign(queues))

    @property
    def assignment(self) -> tuple[QueueName, ...]:
        """See `AsyncPullConsumer.assignment`."""
        return self._twin.assignment

    def poll(self, count: int = 32, *, wait_s: float = 5.0) -> list[PulledMessage]:
        """See `AsyncPullConsumer.poll`."""
        return self._run(lambda twin: twin.poll(count, wait_s=wait_s))

    def position(self, queue: QueueName) -> int:
        """See `AsyncPullConsumer.position`."""
        return self._twin.position(queue)

    def seek(self, queue: QueueName, offset: int) -> None:
        """See `AsyncPullConsumer.seek`."""

        async def seek(twin: AsyncPullConsumer) -> None:
            twin.seek(queue, offset)

        self._run(seek)

    def seek_to_begin(self, *queues: QueueName) -> None:
        """See `AsyncPullConsumer.seek_to_begin`."""
        self._run(lambda twin: twin.seek_to_begin(*queues))

    def seek_to_end(self, *queues: QueueName) -> None:
        """See `AsyncPullConsumer.seek_to_end`."""
        self._run(lambda twin: twin.seek_to_end(*queues))

    def seek_to_time(self, time_ms: int, *queues: QueueName) -> None:
        """See `AsyncPullConsumer.seek_to_time`."""
        self._run(lambda twin: twin.seek_to_time(time_ms, *queues))

    def commit(self) -> None:
        """See `AsyncPullConsumer.commit`."""
        self._run(lambda twin: twin.commit())

    def committed(self, queue: QueueName) -> int | None:
        """See `AsyncPullConsumer.committed`."""
        return self._run(lambda twin: twin.committed(queue))
