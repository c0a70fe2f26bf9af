"""Long polls that wait for messages.

A waiting poll is woken by what may give it something: a message that became visible in its topic, or a delivery
of its group that ran out or was given back. It then looks for itself; nothing is handed to it.
"""

import asyncio
from collections import deque

__all__ = ["WaitingRoom"]


class WaitingRoom:
    """Who waits for what, by topic and group."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}
        self.count = 0

    async def wait(self, topic: str, group: str, timeout_s: float) -> None:
        """Come back when woken, or after `timeout_s`."""
        queue = self._waiting.setdefault(topic, {}).setdefault(group, deque())
        future: asyncio.Future[None] = self._loop.create_future()
        queue.append(future)
        timer = self._loop.call_later(timeout_s, _wake, future)
        self.count += 1
        try:
            await future
        finally:
            self.count -= 1
            timer.cancel()
            future.cancel()
            if future in queue:
                queue.remove(future)

    def messages_came(self, topic: str, count: int) -> None:
        """So many messages became visible: in each group as many polls are woken."""
        for group in self._waiting.get(topic, {}):
            self.wake(topic, group, count)

    def wake(self, topic: str, group: str, count: int) -> None:
        """Wake up to `count` polls of one group, those that wait longest first."""
        queue = self._waiting.get(topic, {}).get(group)
        while queue and count > 0:
            future = queue.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1

    def wake_all(self) -> None:
        """Wake every poll (the node stops)."""
        for groups in self._waiting.values():
            for group in groups.values():
                while group:
                    _wake(group.popleft())


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
