"""Acknowledgements of a push consumer: those of one broker group that come while one call is under way leave with the next."""

import asyncio
import logging
from typing import TypeAlias

from mq.client.views import ReceivedMessage
from mq.core.errors import Fault, MqError
from mq.rpc.delivery_calls import DeliveryCalls

__all__ = ["Acker"]

_TOGETHER_MAX = 256
_AGAIN_S = 1.0
_log = logging.getLogger(__name__)

_Line: TypeAlias = tuple[tuple[str, ...], str]
"""(addresses, topic)"""
_Ack: TypeAlias = tuple[ReceivedMessage, "asyncio.Future[None]"]


class Acker:
    """Each is repeated until its broker group has said yes or no."""

    def __init__(self, calls: DeliveryCalls) -> None:
        self._calls = calls
        self._waiting: dict[_Line, list[_Ack]] = {}
        self._busy: dict[_Line, asyncio.Task[None]] = {}

    async def ack(self, addresses: tuple[str, ...], received: ReceivedMessage) -> None:
        """Come back when it is acknowledged, or was too late: then the message comes again."""
        line, done = (addresses, received.message.topic), asyncio.get_running_loop().create_future()
        self._waiting.setdefault(line, []).append((received, done))
        if line not in self._busy:
            self._busy[line] = asyncio.create_task(self._send_all(line))
        await done

    async def _send_all(self, line: _Line) -> None:
        waiting = self._waiting[line]
        try:
            while waiting:
                some = [one for one in waiting[:_TOGETHER_MAX] if not one[1].done()]  # its waiter may have given up
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
            told = await self._calls.ack(addresses, topic, [received for received, _ in some])
        except MqError as error:
            if error.fault is not Fault.CALLER:
                _log.info("acknowledging to %s is tried again: %s", ", ".join(addresses), error)
                return some
            told = [error] * len(some)
        for (received, done), refusal in zip(some, told, strict=True):
            if refusal is not None:
                _log.warning("message %s of %s comes again: %s", received.message.message_id, topic, refusal)
            if not done.done():
                done.set_result(None)
        return []
