"""Stamping the time into the log while consumers hold messages and nothing else happens.

After a restart log time goes on from the last stamp in the log. What passed since then is lost, and every hidden message
comes back later by as much; without a stamp now and then that could be hours.
"""

import asyncio

from mq.broker import commands as c
from mq.server.node import BrokerNode

__all__ = ["TimeKeeper"]

_EVERY_S = 1.0
_SILENT_MS_MAX = 5000


class TimeKeeper:
    """Proposes a stamp when the last one is older than `silent_ms_max` and some group holds a message."""

    def __init__(self, node: BrokerNode, *, silent_ms_max: int = _SILENT_MS_MAX) -> None:
        self._node, self._silent_ms_max = node, silent_ms_max

    async def work_forever(self) -> None:
        """Look every second."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.work()

    async def work(self) -> bool:
        """Stamp the time if it is needed; whether it was."""
        machine = self._node.machine
        if self._node.log_ms() - machine.log_ms < self._silent_ms_max or not machine.has_in_flight():
            return False
        await self._node.carry_out(c.PassTime(*self._node.stamps()))
        return True
