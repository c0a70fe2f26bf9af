"""Long polls that wait for messages.

A waiting poll is woken by what may give it something: a message that became visible in its topic, or a delivery
of its group that ran out or was given back. It then looks for itself; nothing is handed to it.

What its filter leaves out may be what another poll of its group waits for: who was woken and took nothing passes the waking on,
to one with a filter that has not looked yet.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["Poll", "Tried", "WaitingRoom"]

Filter = frozenset[str] | None
"""The tags that a poll wants; None for all."""
Tried = frozenset[Filter]
"""The filters of those that a waking has come to before, and that took nothing."""
_FIRST: Tried = frozenset()


class _Waiter(NamedTuple):
    """future: ends with what was tried before; with None when there is nothing to be passed on."""

    future: "asyncio.Future[Tried | None]"
    tags: Filter


class Poll:
    """One long poll from its call to its answer.

    is_over: its client said goodbye, so it is to end with nothing.
    """

    __slots__ = ("future", "is_over")

    def __init__(self) -> None:
        self.future: asyncio.Future[Tried | None] | None = None
        self.is_over = False


class WaitingRoom:
    """Who waits for what, by topic and group."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[str, dict[str, deque[_Waiter]]] = {}
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

    async def wait(self, topic: str, group: str, timeout_s: float, poll: Poll | None = None, tags: Filter = None) -> Tried | None:
        """Come back when woken, or after `timeout_s`. A caller that is cancelled passes its waking on.

        What comes back is for `pass_on`, in case that nothing is found; None when nobody else need look.
        """
        queue = self._waiting.setdefault(topic, {}).setdefault(group, deque())
        future: asyncio.Future[Tried | None] = self._loop.create_future()
        waiter = _Waiter(future, tags)
        queue.append(waiter)
        if poll is not None:
            poll.future = future
        timer = self._loop.call_later(timeout_s, _wake, future)
        self.count += 1
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.wake(topic, group, 1)
            raise
        finally:
            self.count -= 1
            timer.cancel()
            future.cancel()
            if waiter in queue:
                queue.remove(waiter)
            if not queue:
                self._forget(topic, group, queue)

    def _forget(self, topic: str, group: str, queue: "deque[_Waiter]") -> None:
        """Nobody waits in this queue any more. With others than those for whom someone waits, each message would take longer."""
        groups = self._waiting.get(topic, {})
        if groups.get(group) is queue:
            del groups[group]
            if not groups:
                del self._waiting[topic]

    def messages_came(self, topic: str, count: int) -> None:
        """So many messages became visible: in each group as many polls are woken."""
        for group in self._waiting.get(topic, {}):
            self.wake(topic, group, count)

    def wake(self, topic: str, group: str, count: float) -> None:
        """Wake up to `count` polls of one group, those that wait longest first."""
        queue = self._waiting.get(topic, {}).get(group)
        tried = None if count == math.inf else _FIRST  # where all look, nobody has to be told of it
        while queue and count > 0:
            future = queue.popleft().future
            if not future.done():
                future.set_result(tried)
                count -= 1

    def pass_on(self, topic: str, group: str, tried: Tried) -> None:
        """Wake the one that waits longest of those with another filter: with one of these there is nothing to be found."""
        queue = self._waiting.get(topic, {}).get(group, ())
        for waiter in queue:
            if waiter.tags not in tried and not waiter.future.done():
                waiter.future.set_result(tried)
                self._waiting[topic][group].remove(waiter)
                return

    def group_may_go_on(self, group: str, count: float) -> None:
        """Messages of any topics may have become visible for one group: in each topic up to `count` of its polls are woken."""
        for topic in self._waiting:
            self.wake(topic, group, count)

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
                    _wake(group.popleft().future)


def _wake(future: "asyncio.Future[Tried | None]") -> None:
    if not future.done():
        future.set_result(None)
