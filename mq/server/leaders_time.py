"""What a leader's wall time is, heard by those that follow it: whoever leads next goes on from there.

A machine's clock may be wrong by a day. A leader lets its own in slowly (`mq.broker.wall_clock`), but the first reading of a node
that never led would be taken as it is: every delayed message would be due, and to retention all would be old. So a follower asks
its leader when it gets one, and now and then. A group of which all were started anew begins with what its first leader's machine
says: nobody knows how long it stood still.
"""

import asyncio
import json

from mq.server.node import BrokerNode, Reign
from mq.server.peer_asking import ask_peer
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall

__all__ = ["TIME", "LeadersTime"]

TIME = "PeerTime"
"""A call between nodes alone: the wall time that the asked one shows to the log, if it leads."""

_ASK_EVERY_S, _AGAIN_S = 5.0, 0.2
"""The second where nothing was told: a leader is known before its first entry is committed, and before a connection stands."""
_CALL_S = 0.5


class LeadersTime:
    """Asks for one node, and answers the others."""

    def __init__(self, node: BrokerNode, network: PeerNetwork) -> None:
        assert node.group is not None
        self._node, self._network, self._own = node, network, node.group.node_id
        self._changed = asyncio.Event()
        node.on_reign.append(self._reign_is)

    def _reign_is(self, _reign: Reign) -> None:
        self._changed.set()

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
        """Another node asks; one that does not lead knows no time."""
        told = {"wall_ms": self._node.stamps()[1]} if self._node.reign.is_here else {}
        await call.answer(json.dumps(told).encode(), is_last=True)
