"""Does the group have a leader that only this node cannot hear? Its peers know.

A node without a leader holds its clients' calls, since an election is quick. When another node follows a leader all the same,
there is nothing to wait for: this node is cut off, and its clients are better served elsewhere.
"""

import asyncio
import json
import logging

from mq.core.errors import MqError
from mq.server.node import BrokerNode
from mq.server.peer_calling import OutgoingCall
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall

__all__ = ["FOLLOWS", "SecondOpinion"]

FOLLOWS = "PeerFollows"
"""A call between nodes alone: which other node the asked one follows, or leads as."""

_CALL_S = 0.5
_log = logging.getLogger(__name__)


class SecondOpinion:
    """Asks the other voters, and answers them."""

    def __init__(self, node: BrokerNode, network: PeerNetwork) -> None:
        self._node, self._network = node, network

    async def is_led(self) -> bool:
        """Whether another node that can be asked knows of a leader. Within half a second."""
        assert self._node.group is not None
        own = self._node.group.node_id
        others = [voter for voter in self._node.core.configuration.voters if voter != own]
        leaders = await asyncio.gather(*(self._ask(other) for other in others))
        return any(leader not in (None, own) for leader in leaders)

    async def _ask(self, other: int) -> int | None:
        try:
            found = json.loads(await self._network.call(other, OutgoingCall(FOLLOWS, (), b"{}", _CALL_S)))
        except MqError as error:
            _log.debug("node %d does not say whom it follows: %s", other, error)
            return None
        leader = found.get("leader")
        return leader if isinstance(leader, int) else None

    async def answer(self, call: IncomingCall) -> None:
        """Another node has no leader, and asks."""
        await call.answer(json.dumps({"leader": self._node.reign.leader}).encode(), is_last=True)
