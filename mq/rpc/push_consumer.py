"""Our own push consumer: it fetches messages by long polls and hands them to a listener.

What the listener takes is acknowledged. What it refuses comes again later, until it becomes a dead letter; of an ordered group it
is tried again here, and nothing of its message group overtakes it. Every consumer of a group polls all queues that the broker
assigns, and the broker hands each message to one of them. RocketMQ: PushConsumer.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from mq.client.consuming import ConsumerSettings, Step, after_failure, checked_subscriptions
from mq.client.errors import check_code
from mq.client.inbox import Held, Inbox
from mq.client.queues import QueueName
from mq.client.route_cache import KnownQueue
from mq.client.views import ReceivedMessage
from mq.core.errors import Fault, IllegalArgumentError, MqError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.acking import GIVE_UP_MS, Acker
from mq.rpc.calling import new_client_id
from mq.rpc.delivery_calls import DeliveryCalls, ReceiveAsk
from mq.rpc.listening import Listener, Listening
from mq.rpc.routing import Routing, known_queue, now_ms
from mq.rpc.session import Session

__all__ = ["AsyncPushConsumer"]

_AGAIN_S = 1.0
_log = logging.getLogger(__name__)


class AsyncPushConsumer:
    """endpoints: registry nodes or brokers, HOST:PORT,... subscriptions: tags (`*`, `a || b`) by topic. Use `async with`.

    listener: takes a message by returning, and refuses it by raising. A coroutine function, or a plain one, which runs in a
    thread. concurrency: how many messages are handled at a time. cache_count, cache_bytes: beyond either, nothing more is
    fetched. assignments_every_ms: how often to ask which queues to poll. grace_s: at the end, so long the listener is waited for.
    """

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        endpoints: str,
        group: str,
        subscriptions: Mapping[str, str],
        listener: Listener,
        *,
        concurrency: int = 16,
        cache_count: int = 1024,
        cache_bytes: int = 64 << 20,
        assignments_every_ms: int = 5_000,
        timeout_s: float = 3.0,
        route_every_ms: int = 30_000,
        grace_s: float = 30.0,
    ) -> None:
        self._subscriptions = checked_subscriptions(subscriptions)
        if concurrency < 1:
            raise IllegalArgumentError(f"concurrency: {concurrency} is below 1")
        self._group, self._every_s = group, assignments_every_ms / 1000
        self._routing = Routing(endpoints, new_client_id(), every_ms=route_every_ms, timeout_s=timeout_s)
        self._session = Session(self._routing, group=group, client_type=pb.PUSH_CONSUMER, subscriptions=self._subscriptions)
        self._calls = DeliveryCalls(self._routing, group)
        self._acker = Acker(self._calls)
        self._inbox: Inbox[ReceivedMessage] = Inbox(cache_count, cache_bytes)
        self._listening = Listening(
            listener, self._inbox, concurrency=concurrency, view=lambda one: one.message, settle=self._settle, grace_s=grace_s
        )
        self._polls: dict[KnownQueue, asyncio.Task[None]] = {}
        # As of the last message of each broker group: it may have left the routes when its message is settled.
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._settings: dict[str, ConsumerSettings] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "AsyncPushConsumer":
        """Raises: RefusedError (TOPIC_NOT_FOUND and the like), and what says that no broker can be reached."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._routing)
            await stack.enter_async_context(self._session)
            await stack.enter_async_context(self._listening)
            stack.push_async_callback(self._stop_polling)
            await self._assign()
            await self._session.ready()
            assigning = asyncio.create_task(self._assign_forever())
            stack.callback(assigning.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *ended: object) -> None:
        """What the listener is at is waited for; everything else that was fetched goes to others of the group at once."""
        await self._stack.aclose()

    # --- which queues

    async def _assign_forever(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._assign()
            except MqError as error:
                _log.info("the assignment stays as it is: %s", error)

    async def _assign(self) -> None:
        """A poll for each queue that is assigned now, and none for another one. Raises: MqError."""
        now: set[KnownQueue] = set()
        for topic in self._subscriptions:
            await self._routing.queues(topic)  # heartbeats go to where routes lead
            request = pb.QueryAssignmentRequest(topic=pb.Resource(name=topic), group=pb.Resource(name=self._group))
            response = await self._routing.ask("QueryAssignment", request)
            check_code(response.status.code, response.status.message)
            now.update(known_queue(one.message_queue) for one in response.assignments)
        for queue in [queue for queue in self._polls if queue not in now]:
            self._polls.pop(queue).cancel()
        for queue in now:
            if queue not in self._polls:
                self._polls[queue] = asyncio.create_task(self._poll_forever(queue))

    async def _stop_polling(self) -> None:
        polls, self._polls = list(self._polls.values()), {}
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    # --- fetching

    async def _poll_forever(self, queue: KnownQueue) -> None:
        """The attempt id stays until an answer has come: of an ordered group the same messages are handed out once more then."""
        attempt_id = str(uuid.uuid4())
        while self._polls.get(queue) is asyncio.current_task():
            await self._listening.room()
            try:
                settings = await self._session.settings(queue.name.broker)
                tags = self._subscriptions[queue.name.topic]
                ask = ReceiveAsk(settings.batch_max, settings.long_poll_ms, None, tags, attempt_id)
                received = await self._calls.receive(queue, ask)
            except MqError as error:
                _log.info("polling %s is tried again: %s", queue.name, error)
                await asyncio.sleep(_AGAIN_S)
                continue
            attempt_id = str(uuid.uuid4())
            self._addresses[queue.name.broker], self._settings[queue.name.broker] = queue.addresses, settings
            for one in received:
                self._put(one, settings)

    def _put(self, one: ReceivedMessage, settings: ConsumerSettings) -> None:
        message = one.message
        place = QueueName(message.topic, one.broker, message.queue_id)
        lane = (f"{message.topic} {message.message_group}" if message.message_group else str(place)) if settings.is_fifo else ""
        self._inbox.put((place, message.offset), one, len(message.body), lane)
        self._listening.note()

    # --- settling

    async def _settle(self, held: Held[ReceivedMessage], is_taken: bool) -> int | None:  # noqa: FBT001 - `SettleBehind`
        """See `mq.rpc.listening.SettleBehind`."""
        addresses, settings = self._addresses[held.item.broker], self._settings[held.item.broker]
        if is_taken:
            await self._acker.ack(addresses, held.item)
            return None
        attempt, message_id = held.item.message.attempt + held.attempts, held.item.message.message_id
        failed = after_failure(settings, attempt)
        match failed.step:
            case Step.AGAIN:
                return failed.delay_ms
            case Step.HIDE:
                await self._insist(lambda: self._calls.change(addresses, held.item, failed.delay_ms), message_id)
            case Step.GIVE_UP:
                most = settings.retry.attempts_max
                await self._insist(lambda: self._calls.forward(addresses, held.item, attempt, most), message_id)
        return None

    @staticmethod
    async def _insist(ask: Callable[[], Awaitable[object]], message_id: str) -> None:
        """Until the broker group has said yes or no: what it hears nothing of it goes on hiding for us."""
        give_up_ms = now_ms() + GIVE_UP_MS
        while True:
            try:
                await ask()
            except MqError as error:
                if error.fault is Fault.CALLER or now_ms() >= give_up_ms:
                    _log.info("message %s is not ours any more: %s", message_id, error)
                    return
            else:
                return
            await asyncio.sleep(_AGAIN_S)
