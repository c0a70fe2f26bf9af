"""A client's connection with a node broke: the leader, which counts on what it hands out to arrive, is told.

See `mq.server.renewing`. Nothing is promised: when the leader cannot be told, it has lost its connection with this node, too, and
takes all that went this way for lost.
"""

import asyncio
import json

from mq.server.node import BrokerNode
from mq.server.peer_asking import ask_peer
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.renewing import Renewer

__all__ = ["CUT", "CutConnections"]

CUT = "PeerClientCut"
"""A call between nodes alone: a client's connection with the calling node broke."""

_CALL_S = 1.0


class CutConnections:
    """Tells the leader, and is told as one. renewer: of this node."""

    def __init__(self, node: BrokerNode, network: PeerNetwork, renewer: Renewer) -> None:
        self._node, self._network, self._renewer = node, network, renewer
        self._telling: set[asyncio.Task[object]] = set()

    def note(self, client: str) -> None:
        """A connection between that client and this node broke."""
        leader = self._node.reign.leader
        if leader is None or self._node.reign.is_here:
            return  # who leads here knows already; who leads next takes for lost whatever was handed out before
        task = asyncio.ensure_future(ask_peer(self._network, leader, CUT, {"client": client}, timeout_s=_CALL_S))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def answer(self, call: IncomingCall) -> None:
        """Another node tells of it."""
        self._renewer.connection_lost(str(json.loads(call.request)["client"]))
        await call.answer(b"{}", is_last=True)
