"""A listener at work: messages of an inbox are handed to it, so many at a time, and what becomes of them is settled behind it."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeAlias, TypeVar

from mq.client.inbox import Held, Inbox
from mq.client.views import MessageView

__all__ = ["Listener", "Listening", "SettleBehind"]

T = TypeVar("T")
Listener: TypeAlias = Callable[[MessageView], Any]
"""Takes a message by returning, and refuses it by raising. A coroutine function, or a plain one, which runs in a thread."""
SettleBehind: TypeAlias = Callable[[Held[T], bool], Awaitable[int | None]]
"""(message, whether the listener took it) -> None when it is done with, else after how many ms the listener gets it once more."""

_log = logging.getLogger(__name__)


class Listening(Generic[T]):
    """concurrency: how many messages are handled at a time. view: what the listener sees of an item. Use `async with`.

    grace_s: at its end, so long what is being handled is waited for.
    """

    def __init__(
        self,
        listener: Listener,
        inbox: Inbox[T],
        *,
        concurrency: int,
        view: Callable[[T], MessageView],
        settle: SettleBehind[T],
        grace_s: float,
    ) -> None:
        self._listener, self._inbox, self._view, self._settle, self._grace_s = listener, inbox, view, settle, grace_s
        self._is_async = inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(getattr(listener, "__call__", None))  # noqa: B004 - asked of its method
        self._threads = None if self._is_async else ThreadPoolExecutor(concurrency, thread_name_prefix="listener")
        self._slots = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._came, self._room = asyncio.Event(), asyncio.Event()
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._pump: asyncio.Task[None] | None = None
        self._is_ending = False

    async def __aenter__(self) -> "Listening[T]":
        self._pump = asyncio.create_task(self._hand_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What nobody is handling is left; the rest may end in peace."""
        self._is_ending = True
        assert self._pump is not None
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        for timer in self._timers.values():
            timer.cancel()
        self._inbox.drop_waiting()
        if self._running:
            late: set[asyncio.Task[None]] = (await asyncio.wait(self._running, timeout=self._grace_s))[1]
            for task in late:
                _log.warning("a listener did not end within %g s; its message comes again", self._grace_s)
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def note(self) -> None:
        """Something was put into the inbox."""
        self._came.set()

    async def room(self) -> None:
        """Come back when the inbox is not full."""
        while self._inbox.is_full:
            self._room.clear()
            await self._room.wait()

    async def _hand_on(self) -> None:
        while True:
            await self._slots.acquire()
            while (held := self._inbox.take()) is None:
                self._came.clear()
                await self._came.wait()
            task = asyncio.create_task(self._handle(held))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _handle(self, held: Held[T]) -> None:
        try:
            is_taken = await self._call(held)
        finally:
            self._slots.release()
        again_ms: int | None = None
        try:
            again_ms = await self._settle(held, is_taken)
        finally:
            if again_ms is None or self._is_ending:
                self._inbox.done(held)
                self._room.set()
                self._came.set()  # the next of its lane
        if again_ms is not None and not self._is_ending:
            self._timers[held.key] = asyncio.get_running_loop().call_later(again_ms / 1000, self._again, held)

    def _again(self, held: Held[T]) -> None:
        self._timers.pop(held.key, None)
        self._inbox.again(held)
        self._came.set()

    async def _call(self, held: Held[T]) -> bool:
        """Whether the listener takes it."""
        message = self._view(held.item)
        try:
            if self._threads is None:
                await self._listener(message)
            else:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._listener, message)
        except Exception as error:  # noqa: BLE001 - whatever a listener raises, the message is not taken
            _log.warning("the listener refused message %s of %s: %r", message.message_id, message.topic, error)
            return False
        return True
