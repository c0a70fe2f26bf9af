"""A leader whose disk is nearly full lets another node lead, if one has room: its followers can go on without it.

What is still free here is left for what the next leader sends: consumers' commands need little, and a follower that runs out
of space altogether lags behind, and catches up when there is some again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from mq.core.errors import MqError
from mq.server.node import BrokerNode
from mq.server.space import SpaceGuard

__all__ = ["RoomKeeper"]

_LOOK_EVERY_S = 1.0
_AGAIN_S = 1.0
"""After nobody had room, or nobody took over, so long none is asked: a full group refuses quickly."""
_log = logging.getLogger(__name__)


class RoomKeeper:
    """with_room: asks which other voters have room. hand_over: lets one of them lead, the furthest; whether it does."""

    def __init__(
        self,
        node: BrokerNode,
        space: SpaceGuard,
        with_room: Callable[[], Awaitable[Sequence[int]]],
        hand_over: Callable[[Sequence[int]], Awaitable[bool]],
    ) -> None:
        self._node, self._space, self._with_room, self._hand_over = node, space, with_room, hand_over
        self._making_way: asyncio.Task[bool] | None = None
        self._not_before_s = float("-inf")

    async def work_forever(self) -> None:
        """Look now and then, so that leadership is gone before anything is refused."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._node.reign.is_here and self._space.is_short:
                await self.make_way()

    async def make_way(self) -> bool:
        """Let a node with room lead; whether another one leads now. Those who ask at the same time wait together."""
        if self._making_way is None:
            if asyncio.get_running_loop().time() < self._not_before_s:
                return False
            self._making_way = asyncio.create_task(self._make_way())
            self._making_way.add_done_callback(self._is_over)
        return await asyncio.shield(self._making_way)

    def _is_over(self, task: "asyncio.Task[bool]") -> None:
        self._making_way = None
        if task.cancelled() or task.exception() is not None or not task.result():
            self._not_before_s = asyncio.get_running_loop().time() + _AGAIN_S

    async def _make_way(self) -> bool:
        try:
            nodes = await self._with_room()
            if not nodes:
                return False
            _log.warning("little space is left on this node's disk: leadership is handed over to one with room")
            return await self._hand_over(nodes)
        except MqError as error:
            _log.warning("leadership was not handed over: %s", error)
            return False
