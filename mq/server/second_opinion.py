"""What the other voters say: whether they are up, whether they follow a leader, and whether their disks have room.

A node without a leader holds its clients' calls, since an election is quick. When another node follows a leader all the same,
there is nothing to wait for: this node is cut off, and its clients are better served elsewhere. And a leader whose disk is
nearly full asks who could lead instead (`mq.server.room`). Who is up is asked before a member goes: what is known of a node that
died a moment ago is that it was well.
"""

import asyncio
import json
from collections.abc import Callable
from typing import NamedTuple

from mq.server.node import BrokerNode
from mq.server.peer_asking import ask_peer
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall

__all__ = ["STANDING", "SecondOpinion", "Standing"]

STANDING = "PeerStanding"
"""A call between nodes alone: how the asked one stands."""

_CALL_S = 0.5


class Standing(NamedTuple):
    """leader: whom that node follows, or leads as. has_room: for many more messages.

    epoch: its term; what a node is told of a later master. last, last_term: of its log.
    """

    leader: int | None = None
    has_room: bool = False
    epoch: int = 0
    last: int = 0
    last_term: int = 0


class SecondOpinion:
    """Asks the other voters, and answers them. has_room: of this node."""

    def __init__(self, node: BrokerNode, network: PeerNetwork, has_room: Callable[[], bool]) -> None:
        self._node, self._network, self._has_room = node, network, has_room

    async def is_led(self) -> bool:
        """Whether another node that can be asked knows of a leader. Within half a second; the first one that does is enough."""
        asking = [asyncio.create_task(self._ask(other)) for other in self._others()]
        try:
            for answer in asyncio.as_completed(asking):
                standing = await answer
                if standing is not None and standing.leader not in (None, self._own):
                    return True
        finally:
            for task in asking:
                task.cancel()
        return False

    async def with_room(self) -> list[int]:
        """The other voters whose disks have room, as they say themselves. Within half a second."""
        return [other for other, standing in (await self.standings()).items() if standing.has_room]

    async def who_answers(self) -> set[int]:
        """This node, and the other voters that answer now. Within half a second."""
        return {self._own, *await self.standings()}

    async def standings(self) -> dict[int, Standing]:
        """Of those that answer within half a second."""
        others = self._others()
        answers = await asyncio.gather(*map(self._ask, others))
        return {other: standing for other, standing in zip(others, answers, strict=True) if standing is not None}

    @property
    def _own(self) -> int:
        assert self._node.group is not None
        return self._node.group.node_id

    def _others(self) -> list[int]:
        return [voter for voter in self._node.core.configuration.voters if voter != self._own]

    async def _ask(self, other: int) -> Standing | None:
        found = await ask_peer(self._network, other, STANDING, {}, timeout_s=_CALL_S)
        if found is None:
            return None
        leader = found.get("leader")
        numbers = (found.get(name, 0) for name in ("epoch", "last", "last_term"))
        epoch, last, last_term = (number if type(number) is int else 0 for number in numbers)
        return Standing(leader if type(leader) is int else None, found.get("has_room") is True, epoch, last, last_term)

    async def answer(self, call: IncomingCall) -> None:
        """Another node asks."""
        view = self._node.view()
        standing = Standing(self._node.reign.leader, self._has_room(), view.term, view.last.index, view.last.term)
        await call.answer(json.dumps(standing._asdict()).encode(), is_last=True)
