"""Long polls that wait for messages.

A waiting poll is woken by what may give it something: a message that became visible in its topic, or a delivery
of its group that ran out or was given back. It then looks for itself; nothing is handed to it.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Poll", "WaitingRoom"]


class Poll:
    """One long poll from its call to its answer.

    is_over: its client said goodbye, so it is to end with nothing.
    """

    __slots__ = ("future", "is_over")

    def __init__(self) -> None:
        self.future: asyncio.Future[None] | None = None
        self.is_over = False


class WaitingRoom:
    """Who waits for what, by topic and group."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}
        self._alarms: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._polls: dict[str, set[Poll]] = {}
        self.count = 0

    @contextmanager
    def poll(self, client: str) -> Iterator[Poll]:
        """A poll of this client, for as long as it lasts."""
        one = Poll()
        self._polls.setdefault(client, set()).add(one)
        try:
            yield one
        finally:
            polls = self._polls[client]
            polls.discard(one)
            if not polls:
                del self._polls[client]

    def end_polls(self, client: str) -> None:
        """All polls of this client are over."""
        for poll in self._polls.get(client, ()):
            poll.is_over = True
            if poll.future is not None:
                _wake(poll.future)

    async def wait(self, topic: str, group: str, timeout_s: float, poll: Poll | None = None) -> None:
        """Come back when woken, or after `timeout_s`. A caller that is cancelled passes its waking on."""
        queue = self._waiting.setdefault(topic, {}).setdefault(group, deque())
        future: asyncio.Future[None] = self._loop.create_future()
        queue.append(future)
        if poll is not None:
            poll.future = future
        timer = self._loop.call_later(timeout_s, _wake, future)
        self.count += 1
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.wake(topic, group, 1)
            raise
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

    def wake(self, topic: str, group: str, count: float) -> None:
        """Wake up to `count` polls of one group, those that wait longest first."""
        queue = self._waiting.get(topic, {}).get(group)
        while queue and count > 0:
            future = queue.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1

    def wake_in(self, topic: str, group: str, delay_s: float) -> None:
        """Something of this group comes back after `delay_s`: then the polls that wait now are to look.

        Polls that come later know when to look; so one alarm, the earliest, is enough, and none if nobody waits.
        """
        if not self._waiting.get(topic, {}).get(group):
            return
        at_s, alarm = self._loop.time() + delay_s, self._alarms.get((topic, group))
        if alarm is not None:
            if alarm.when() <= at_s:
                return
            alarm.cancel()
        self._alarms[topic, group] = self._loop.call_at(at_s, self._ring, topic, group)

    def _ring(self, topic: str, group: str) -> None:
        del self._alarms[topic, group]
        self.wake(topic, group, math.inf)

    def wake_all(self) -> None:
        """Wake every poll (the node stops)."""
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        for groups in self._waiting.values():
            for group in groups.values():
                while group:
                    _wake(group.popleft())


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
