"""Our own simple consumer: it asks for messages when it wants some, and says itself what becomes of them.

A topic may be at several broker groups. Each is asked whether it has messages now, each time another one first; when none has,
all are waited at for a short while at a time. What a second one hands out in the same moment is kept for the next call.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mq.client.consuming import checked_subscriptions
from mq.client.errors import is_worth_repeating
from mq.client.rotation import Place, Rotation
from mq.client.route_cache import KnownQueue
from mq.client.views import ReceivedMessage
from mq.core.errors import Code, Fault, IllegalArgumentError, MqError, RefusedError
from mq.core.limits import LONG_POLL_MS_MAX, RECEIVE_BATCH_MAX
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import new_client_id
from mq.rpc.delivery_calls import DeliveryCalls, ReceiveAsk
from mq.rpc.routing import Routing, now_ms
from mq.rpc.session import Session

__all__ = ["AsyncSimpleConsumer"]

_SLICE_MS = 1_000
"""Of waiting at several broker groups: so long one may still wait when another has answered already."""
_AGAIN_MS, _PAUSES_MS = 250, (100, 300, 1_000)
_FRESH_MS = 500
"""What was kept for longer gets its whole invisible time anew before it is handed out."""


class _Kept(NamedTuple):
    """A delivery that came too late for its call."""

    received: ReceivedMessage
    came_ms: int
    invisible_ms: int


class AsyncSimpleConsumer:
    """endpoints: registry nodes or brokers, HOST:PORT,... subscriptions: tags (`*`, `a || b`) by topic. Use `async with`.

    invisible_ms: so long a received message is hidden from the others of the group, unless it is acknowledged.
    """

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
        self._subscriptions, self._invisible_ms = checked_subscriptions(subscriptions), invisible_ms
        self._routing = Routing(endpoints, new_client_id(), every_ms=route_every_ms, timeout_s=timeout_s)
        self._session = Session(self._routing, group=group, client_type=pb.SIMPLE_CONSUMER, subscriptions=self._subscriptions)
        self._calls = DeliveryCalls(self._routing, group)
        self._rotation = Rotation()
        self._kept: deque[_Kept] = deque()
        self._late: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "AsyncSimpleConsumer":
        await self._routing.__aenter__()
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *ended: object) -> None:
        await asyncio.gather(*self._late, return_exceptions=True)
        while self._kept:
            await self._give_back(self._kept.popleft().received)
        await self._session.__aexit__(*ended)
        await self._routing.__aexit__(*ended)

    async def receive(self, count: int = 16, *, wait_s: float = 5.0, invisible_ms: int | None = None) -> list[ReceivedMessage]:
        """Up to `count` messages (32 at most); none when there is none within `wait_s`.

        Raises: RefusedError; UnreachableError and the like, when no broker group of these topics could be asked all the time.
        """
        if count < 1 or wait_s < 0:
            raise IllegalArgumentError(f"count: {count}, wait_s: {wait_s}; at least one message, and no time below 0")
        hidden_ms = self._invisible_ms if invisible_ms is None else invisible_ms
        count, end_ms = min(count, RECEIVE_BATCH_MAX), now_ms() + int(wait_s * 1000)
        if kept := await self._take_kept(count, hidden_ms):
            return kept
        while True:
            try:
                places = await self._places()
                found = await self._ask_each(places, ReceiveAsk(count, 0, hidden_ms))
            except MqError as error:
                if error.fault is Fault.CALLER or now_ms() + _AGAIN_MS >= end_ms:
                    raise
                await asyncio.sleep(_AGAIN_MS / 1000)
                continue
            if found or now_ms() >= end_ms:
                return found
            if not places:  # no broker group can be read from just now
                await asyncio.sleep(min(_SLICE_MS, end_ms - now_ms()) / 1000)
            elif found := await self._wait_at_all(places, count, hidden_ms, end_ms):
                return found

    async def ack(self, *messages: ReceivedMessage) -> None:
        """They are done.

        Raises: RefusedError (INVALID_RECEIPT_HANDLE) when it was too late for one of them, which comes again, and may be somebody
        else's by now; the others are done. Any other MqError: they may be.
        """
        by_place: dict[Place, list[ReceivedMessage]] = {}
        for one in messages:
            by_place.setdefault((one.message.topic, one.broker), []).append(one)
        told = await asyncio.gather(*(self._ack(place, some) for place, some in by_place.items()))
        if late := next((error for some in told for error in some if error is not None), None):
            raise late

    async def _ack(self, place: Place, messages: Sequence[ReceivedMessage]) -> list[MqError | None]:
        """Twice does no harm, so it is repeated where an election may be under way."""
        addresses = await self._addresses(place)
        for pause_ms in (*_PAUSES_MS, None):
            try:
                return await self._calls.ack(addresses, place[0], messages)
            except MqError as error:
                if pause_ms is None or not is_worth_repeating(error, is_idempotent=True):
                    raise
            await asyncio.sleep(pause_ms / 1000)
        raise AssertionError("the last attempt returns or raises")

    async def change_invisible(self, received: ReceivedMessage, invisible_ms: int) -> ReceivedMessage:
        """Hide it for another span, from now on; 0 gives it back. What comes back has the handle that is good from now on.

        Raises: RefusedError (INVALID_RECEIPT_HANDLE) when it is too late; MqError.
        """
        addresses = await self._addresses((received.message.topic, received.broker))
        return replace(received, receipt_handle=await self._calls.change(addresses, received, invisible_ms))

    # --- where messages may be

    async def _places(self) -> dict[Place, KnownQueue]:
        """Each topic at each broker group, as a queue that stands for all of them. Raises: MqError, when there is no topic."""
        found: dict[Place, KnownQueue] = {}
        unknown: MqError | None = None
        for topic in self._subscriptions:
            try:
                queues = await self._routing.queues(topic)
            except MqError as error:
                unknown = error
                continue
            for queue in queues:
                if queue.is_readable and (topic, queue.name.broker) not in found:
                    found[topic, queue.name.broker] = replace(queue, name=queue.name._replace(queue_id=-1))
        if unknown is not None and not found:
            raise unknown
        return found

    async def _addresses(self, place: Place) -> tuple[str, ...]:
        for queue in await self._routing.queues(place[0]):
            if queue.name.broker == place[1]:
                return queue.addresses
        raise RefusedError(Code.INVALID_RECEIPT_HANDLE, f"broker group {place[1]} has no queue of {place[0]} any more")

    # --- asking

    async def _ask_each(self, places: Mapping[Place, KnownQueue], ask: ReceiveAsk) -> list[ReceivedMessage]:
        """Of the first that has some now. Raises: MqError, when all fail."""
        failed: list[MqError] = []
        for place in self._rotation.next(list(places)):
            try:
                if found := await self._calls.receive(places[place], ask._replace(tags=self._subscriptions[place[0]])):
                    return found
            except MqError as error:
                failed.append(error)
        if failed and len(failed) == len(places):
            raise failed[0]
        return []

    async def _wait_at_all(
        self, places: Mapping[Place, KnownQueue], count: int, hidden_ms: int, end_ms: int
    ) -> list[ReceivedMessage]:
        """Until one of them has something, or the slice of time is over."""
        slice_ms = _SLICE_MS if len(places) > 1 else LONG_POLL_MS_MAX
        wait_ms = max(0, min(slice_ms, end_ms - now_ms()))
        polls: dict[asyncio.Task[list[ReceivedMessage]], Place] = {}
        for place, queue in places.items():
            ask = ReceiveAsk(count, wait_ms, hidden_ms, self._subscriptions[place[0]])
            polls[asyncio.create_task(self._calls.receive(queue, ask))] = place
        waiting, found, failed = set(polls), list[ReceivedMessage](), 0
        try:
            while waiting and not found:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    failed += task.exception() is not None
                    found += task.result() if task.exception() is None else []
        finally:
            for task in waiting:  # it has handed out what it hands out: nothing of it may be lost
                late = asyncio.create_task(self._keep(task, hidden_ms))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
        if failed == len(polls):  # they came back at once: the next question is not to come at once, too
            await asyncio.sleep(min(wait_ms, _SLICE_MS) / 1000)
        self._kept.extend(_Kept(one, now_ms(), hidden_ms) for one in found[count:])
        return found[:count]

    async def _keep(self, poll: "asyncio.Task[list[ReceivedMessage]]", hidden_ms: int) -> None:
        try:
            self._kept.extend(_Kept(one, now_ms(), hidden_ms) for one in await poll)
        except MqError:
            return

    async def _take_kept(self, count: int, hidden_ms: int) -> list[ReceivedMessage]:
        """What came too late for an earlier call, hidden as if it had come now; what has run out comes again by itself."""
        taken: list[ReceivedMessage] = []
        while self._kept and len(taken) < count:
            one = self._kept.popleft()
            if now_ms() - one.came_ms < _FRESH_MS and one.invisible_ms == hidden_ms:
                taken.append(one.received)
                continue
            try:
                taken.append(await self.change_invisible(one.received, hidden_ms))
            except MqError:
                continue
        return taken

    async def _give_back(self, received: ReceivedMessage) -> None:
        try:
            await self.change_invisible(received, 0)
        except MqError:  # it runs out, and comes again
            return
