"""What a leader's wall time is, heard by those that follow it: whoever leads next goes on from there.

A machine's clock may be wrong by a day. A leader lets its own in slowly (`mq.broker.wall_clock`), but the first reading of a node
that never led would be taken as it is: every delayed message would be due, and to retention all would be old. So a follower asks
its leader when it gets one, and now and then. A group of which all were started anew begins with what its first leader's machine
says: nobody knows how long it stood still.
"""

import asyncio
import json
from contextlib import suppress

from mq.server.node import BrokerNode, Reign
from mq.server.peer_asking import ask_peer
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall

__all__ = ["TIME", "LeadersTime"]

TIME = "PeerTime"
"""A call between nodes alone: the wall time that the asked one shows to the log, if it leads."""

_ASK_EVERY_S, _AGAIN_S = 5.0, 0.05
"""The second where nothing was told: a leader is known before its first entry is committed, and before a connection stands."""
_CALL_S = 0.5
_READY_S = 0.4
"""So long the asked one waits until it is ready: were the other told to ask again, it could lead before it does."""


class LeadersTime:
    """Asks for one node, and answers the others."""

    def __init__(self, node: BrokerNode, network: PeerNetwork) -> None:
        assert node.group is not None
        self._node, self._network, self._own = node, network, node.group.node_id
        self._changed, self._next_reign = asyncio.Event(), asyncio.Event()
        node.on_reign.append(self._reign_is)

    def _reign_is(self, _reign: Reign) -> None:
        self._changed.set()
        self._next_reign.set()
        self._next_reign = asyncio.Event()

    async def hear_forever(self) -> None:
        """From a new leader soon, then now and then. An answer takes no longer than a moment, or it does not count."""
        while True:
            self._changed.clear()
            leader, pause_s = self._node.reign.leader, _ASK_EVERY_S
            if leader is not None and leader != self._own and not await self._hear(leader):
                pause_s = _AGAIN_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _hear(self, leader: int) -> bool:
        told = await ask_peer(self._network, leader, TIME, {}, timeout_s=_CALL_S)
        wall_ms = None if told is None else told.get("wall_ms")
        if type(wall_ms) is not int or self._node.reign.leader != leader:
            return False
        self._node.clock.hear_wall(wall_ms)
        return True

    async def answer(self, call: IncomingCall) -> None:
        """Another node asks; one that does not lead knows no time, and one that begins to lead will in a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_S):
                while self._node.reign.leader == self._own and not self._node.reign.is_here:
                    await self._next_reign.wait()
        told = {"wall_ms": self._node.stamps()[1]} if self._node.reign.is_here else {}
        await call.answer(json.dumps(told).encode(), is_last=True)
