"""Acknowledgements of a push consumer: those of one broker group that come while one call is under way leave with the next."""

import asyncio
import logging
from typing import NamedTuple, TypeAlias

from mq.client.views import ReceivedMessage
from mq.core.errors import Fault, MqError
from mq.rpc.delivery_calls import DeliveryCalls
from mq.rpc.routing import now_ms

__all__ = ["GIVE_UP_MS", "Acker"]

_TOGETHER_MAX = 256
_AGAIN_S = 1.0
GIVE_UP_MS = 60_000
"""A broker group that cannot be reached for so long has lost sight of us, and hands out again what we had."""
_log = logging.getLogger(__name__)

_Line: TypeAlias = tuple[tuple[str, ...], str]
"""(addresses, topic)"""


class _Ack(NamedTuple):
    """done: there is nothing more to be said of it. give_up_ms: its broker group does not come back."""

    received: ReceivedMessage
    done: "asyncio.Future[None]"
    give_up_ms: int


class Acker:
    """Each is repeated until its broker group has said yes or no, or has been away for long."""

    def __init__(self, calls: DeliveryCalls) -> None:
        self._calls = calls
        self._waiting: dict[_Line, list[_Ack]] = {}
        self._busy: dict[_Line, asyncio.Task[None]] = {}

    async def ack(self, addresses: tuple[str, ...], received: ReceivedMessage) -> None:
        """Come back when it is acknowledged, or was too late: then the message comes again."""
        line, done = (addresses, received.message.topic), asyncio.get_running_loop().create_future()
        self._waiting.setdefault(line, []).append(_Ack(received, done, now_ms() + GIVE_UP_MS))
        if line not in self._busy:
            self._busy[line] = asyncio.create_task(self._send_all(line))
        await done

    async def _send_all(self, line: _Line) -> None:
        waiting = self._waiting[line]
        try:
            while waiting:
                some = [one for one in waiting[:_TOGETHER_MAX] if not one.done.done()]  # its waiter may be gone
                del waiting[:_TOGETHER_MAX]
                again = await self._send(line, some) if some else []
                if again:
                    waiting[:0] = again
                    await asyncio.sleep(_AGAIN_S)
        finally:
            del self._busy[line]

    async def _send(self, line: _Line, some: list[_Ack]) -> list[_Ack]:
        """Those that have no answer."""
        addresses, topic = line
        try:
            told = await self._calls.ack(addresses, topic, [one.received for one in some])
        except MqError as error:
            told = [error] * len(some)
        again: list[_Ack] = []
        for one, why_not in zip(some, told, strict=True):
            if why_not is not None and why_not.fault is not Fault.CALLER and now_ms() < one.give_up_ms:
                again.append(one)
                continue
            if why_not is not None:
                _log.warning("message %s of %s comes again: %s", one.received.message.message_id, topic, why_not)
            if not one.done.done():
                one.done.set_result(None)
        return again
