"""What a person says to a node of a master and its slaves: be the master.

Nothing keeps her from saying so to two nodes, or to one that lacks what another has: that is how this replication loses messages.
So the others are asked first, and what would be lost is said; with force it is done all the same. Who cannot be asked is not.
"""

import asyncio
import logging
from collections.abc import Callable

from mq.core.errors import Code, RefusedError
from mq.raft.role import Role
from mq.rpc.raft_handlers import Promoted
from mq.server.member import Member
from mq.server.node import BrokerNode
from mq.server.second_opinion import Standing
from mq.server.slaves_way import master_slave_of
from mq.server.taking_part import Part

__all__ = ["Promoter"]

_PROMOTE_S = 5.0
_log = logging.getLogger(__name__)


class Promoter:
    """Of one node."""

    def __init__(self, node: BrokerNode, member: Member | None) -> None:
        self._node, self._member = node, member

    async def promote(self, *, is_alone: bool, is_forced: bool) -> Promoted:
        """Be the master of a new epoch; or, where this is the master already, go on without a slave. Raises: RefusedError."""
        node, member = self._node, self._member
        if member is None or node.group is None or not node.group.has_master:
            raise _refused("this node has no master that a person could name: it was not started with --replication master_slave")
        if member.way.part is not Part.FULL:
            raise _refused("this node has nothing stored, and is asking the others: as the master it would empty them all")
        core = master_slave_of(node)
        if node.view().role is Role.LEADER:
            if not is_alone:
                raise _refused(f"node {core.node_id} is the master already, of epoch {core.term}")
            node.order(lambda _: core.go_alone())
            _log.warning("a person said so: this master acknowledges without a slave, until one has caught up")
        else:
            if node.log.last_index == 0:
                raise _refused("this node has nothing stored: as the master it would empty all others")
            if not is_forced:
                self._look_at_others(await member.opinion.standings())
            node.order(lambda _: core.promote(is_alone=is_alone))
            await self._comes(lambda: node.view().role is not Role.CANDIDATE)
            if node.view().role is not Role.LEADER:
                told = "this node is not the master: its disk took no new epoch, or another one came first"
                raise RefusedError(Code.PROXY_TIMEOUT, told)
            _log.warning("a person said so: node %d is the master of epoch %d", core.node_id, core.term)
        return Promoted(core.node_id, core.term, needs_slave=core.needs_slave)

    def _look_at_others(self, standings: dict[int, Standing]) -> None:
        """Raises: RefusedError when something would be lost that need not be."""
        last = self._node.view().last
        for other, standing in standings.items():
            if standing.leader == other:
                raise _refused(
                    f"node {other} is the master and answers: end it first. With --force there are two until it hears of this "
                    "one, and what it has not copied is lost"
                )
            if (standing.last_term, standing.last) > last:
                raise _refused(
                    f"node {other} has entries up to {standing.last} (epoch {standing.last_term}), this one only up to "
                    f"{last.index} (epoch {last.term}): promote that one. With --force the difference is lost"
                )

    async def _comes(self, is_true: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(_PROMOTE_S):
                await self._node.until(is_true)
        except TimeoutError:
            raise RefusedError(
                Code.PROXY_TIMEOUT, f"this node's disk has not taken the new epoch within {_PROMOTE_S:g} s; it may come to it yet"
            ) from None


def _refused(told: str) -> RefusedError:
    return RefusedError(Code.BAD_REQUEST, told)
