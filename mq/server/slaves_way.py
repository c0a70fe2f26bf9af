"""How a node of a master and its slaves begins: as what its folder says that it is.

There are no votes, so a node with an empty folder has forgotten no promise: it is a slave, and takes all that its master has. But
it must not be a master with nothing in its log: all slaves would be emptied after it. So only where all nodes are there, and none
has anything, the lowest number is the first master. And a master that starts again asks whether there is another one meanwhile;
whom it cannot ask it does not wait for.
"""

import asyncio
import logging
from typing import cast

from mq.broker.replication.master_slave import MasterSlave
from mq.core.errors import MqError
from mq.server.coming_in import WayIn
from mq.server.node import BrokerNode
from mq.server.second_opinion import STANDING
from mq.server.taking_part import Part

__all__ = ["SlavesWay", "master_slave_of"]

_ASK_S = 1.0
_ASK_EVERY_S = 0.05
_log = logging.getLogger(__name__)


def master_slave_of(node: BrokerNode) -> MasterSlave:
    """The core of a node whose group has a master."""
    return cast(MasterSlave, node.core)


class SlavesWay(WayIn):
    """See the module. It is on its way (`Part.ASKING`) until it knows what it is."""

    def start(self) -> None:
        """Go the way, also with a history."""
        self._has_history = not self._is_new()
        self.part = Part.ASKING
        self._task = asyncio.create_task(self._go())

    async def _go(self) -> None:
        try:
            was_put_aside, is_first = self.note is not None, False
            if self._has_history:
                is_first = master_slave_of(self._node).vote == self._node_id and not await self._is_followed()
            elif not was_put_aside:
                is_first = await self._ask_all() and self._node_id == min(self._voters)
            self._become(Part.FULL)
            if is_first:
                core = master_slave_of(self._node)
                self._node.order(lambda _: core.resume() if self._has_history else core.promote())
            if was_put_aside:
                await self._write(None)
        except MqError as error:
            _log.error("this node cannot come into its group: %s", error)
            self._node.on_failed(error)

    async def _is_followed(self) -> bool:
        """Whether a later master was named while this node was away, as far as the others can be asked within a moment."""
        own, end_s = self._node.view().term, self._loop.time() + _ASK_S
        others = {node for node in self._voters if node != self._node_id}
        while others and self._loop.time() < end_s:
            asked = sorted(others)
            for other, found in zip(asked, await asyncio.gather(*(self._ask(node, STANDING, {}) for node in asked)), strict=True):
                if found is not None:
                    others.discard(other)
                    if int(found.get("epoch", 0)) > own:
                        _log.warning("this was the master of epoch %d; node %d knows of epoch %s", own, other, found["epoch"])
                        return True
            await asyncio.sleep(_ASK_EVERY_S)
        return False
