"""A leader whose disk takes a step in and does not come back with it lets another node lead.

Its event loop goes on meanwhile, as a member of a group writes in the lane alone: it sends heartbeats, its followers acknowledge,
entries are committed, and nobody asks for an election. But what it commits it cannot apply, as its own copy is not durable, so
that no caller is ever answered. A follower's disk that hangs harms nobody: the follower passes calls on as before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mq.core.errors import MqError
from mq.raft.role import Role
from mq.server.disk_watch import HUNG_S
from mq.server.node import BrokerNode

__all__ = ["HungDiskWatch"]

_LOOK_EVERY_S = 0.25
_AGAIN_S = 2.0
_log = logging.getLogger(__name__)


class HungDiskWatch:
    """furthest: the voter that could lead; 0 without any. hand_over: lets it lead; whether it does."""

    def __init__(self, node: BrokerNode, furthest: Callable[[], int], hand_over: Callable[[], Awaitable[bool]]) -> None:
        self._node, self._furthest, self._hand_over = node, furthest, hand_over

    async def work_forever(self) -> None:
        """Look now and then, while this node leads."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            busy_s = self._node.host.disk_busy_s
            # Also one that was only just elected: its first entry, behind which it would be ready, may be what hangs.
            if busy_s < HUNG_S or self._node.view().role is not Role.LEADER or not self._furthest():
                continue
            _log.warning("the disk has hung for %.1f s: another node is asked to lead", busy_s)
            try:
                await self._hand_over()
            except MqError as error:
                _log.warning("leadership was not handed over: %s", error)
            await asyncio.sleep(_AGAIN_S)
