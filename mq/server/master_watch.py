"""A master that waits for its slaves in vain says so, to those who wait for it and in its log.

With synchronous copy nothing is committed without a slave. Whoever asks then would wait for ever; so new commands are refused,
and of those that are in the log already it is said that nobody knows. RocketMQ: SLAVE_NOT_AVAILABLE and FLUSH_SLAVE_TIMEOUT.
"""

import asyncio
import logging

from mq.core.errors import OutcomeUnknownError
from mq.server.node import BrokerNode
from mq.server.slaves_way import master_slave_of

__all__ = ["MasterWatch"]

_LOOK_EVERY_S = 0.1
_WHAT_HELPS = "start a slave, or let this node go on without one: `mq broker promote --alone`"
_log = logging.getLogger(__name__)


class MasterWatch:
    """Looks at one node's core."""

    def __init__(self, node: BrokerNode) -> None:
        self._node, self._superseded = node, 0

    async def work_forever(self) -> None:
        """Until it is cancelled, or the node ends."""
        while self._node.failure is None:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """What has changed since the last look."""
        node, core = self._node, master_slave_of(self._node)
        if core.is_stalled:
            if not node.stall:
                node.stall = f"no slave answers this master, and it copies synchronously, so nothing is taken; {_WHAT_HELPS}"
                _log.warning("%s", node.stall)
            if node.has_pending:
                node.give_up(OutcomeUnknownError(f"this is in the master's log, and no slave has it; {_WHAT_HELPS}"))
        elif node.stall:
            node.stall = ""
            _log.warning("commands are taken again: %s", "without a slave" if core.is_alone else "a slave answers")
        if core.superseded > self._superseded:
            gone, self._superseded = core.superseded - self._superseded, core.superseded
            _log.warning("%d entries that no slave had for all that is known gave way to those of epoch %d", gone, core.term)
