"""What a person asks of the group: how its nodes are, who shall lead, who shall belong to it."""

import asyncio
from collections.abc import Callable

from mq.broker.commands import SetMember, SetWritable
from mq.core.address import parse_address, show_address
from mq.core.errors import Code, IllegalArgumentError, OutcomeUnknownError, RefusedError
from mq.raft.configuration import Configuration
from mq.raft.errors import NotLeaderError
from mq.rpc.raft_handlers import MemberAddress, Promoted, RaftState
from mq.server.coming_in import is_settled
from mq.server.config import BrokerConfig
from mq.server.member import Member
from mq.server.node import BrokerNode
from mq.server.promoting import Promoter
from mq.server.second_opinion import SecondOpinion
from mq.server.slaves_way import master_slave_of

__all__ = ["GroupAdministrator"]

_TRANSFER_S = 3.0
_CHANGE_S = 8.0
_LOOK_EVERY_S = 0.02
_ACTIVE_S = 1.0
"""A leader that is new has heard of all that are up within that time."""
_HAS_MASTER = "these nodes are a master and its slaves, those of --peers for good; `mq broker promote` names another master"
_ALONE = "this node is by itself; start it with --replication raft to make a group of it"


class GroupAdministrator:
    """See `mq.rpc.raft_handlers.GroupAdminPort`. member: None for a node by itself."""

    def __init__(self, node: BrokerNode, member: Member | None, config: BrokerConfig) -> None:
        self._node, self._member, self._config = node, member, config

    # --- looking

    def describe(self, *, with_state_hash: bool) -> RaftState:
        """See `GroupAdminPort`."""
        node, member = self._node, self._member
        if with_state_hash:
            node.take_snapshot()
        view = node.view()
        return RaftState(
            self._config.name, view if member is not None else view._replace(node_id=self._config.node),
            str(member.way.part) if member is not None else "alone", member is not None and not is_settled(node),
            node.last_snapshot_index, self._addresses(), self._state_hash() if with_state_hash else None,
            node.organs.shown(node.host.turns, node.host.fresh_log.appends, node.machine.table_calls,
                               sum(queue.entry_count for topic in node.machine.topics.values() for queue in topic.queues)),
            *_copy_of(node),
        )  # fmt: skip

    def _state_hash(self) -> tuple[int, int]:
        """Of a state whose snapshot was taken by an earlier process, it is made now."""
        machine, hashes = self._node.machine, self._node.host.keeper.hashes
        found = hashes.get(machine.applied_index)
        return machine.applied_index, machine.state_hash() if found is None else found

    def _addresses(self) -> list[MemberAddress]:
        dialed = self._member.addresses.to_dial() if self._member is not None else {}
        told = self._node.machine.members
        return [
            MemberAddress(node, show_address(dialed[node]) if node in dialed else "", told.get(node, ("", ""))[1])
            for node in sorted({*dialed, *told})
        ]

    # --- being written to

    async def set_writable(self, broker: str, *, is_writable: bool) -> None:
        """See `GroupAdminPort`. In the log, so that every node, and whoever leads later, knows it."""
        if broker != self._config.name:
            raise RefusedError(Code.NOT_FOUND, f"broker {broker!r}: this is {self._config.name}, and it knows of no other group")
        await self._node.carry_out(SetWritable(*self._node.stamps(), is_writable))

    # --- leading

    async def transfer(self, to: int) -> int:
        """See `GroupAdminPort`."""
        member = self._leading_member()
        own_id = self._node.view().node_id
        if to == own_id:
            return own_id
        chosen = to or member.furthest()
        if not chosen:
            raise RefusedError(Code.BAD_REQUEST, "no other voter can be reached, so nobody can take over")
        self._node.order(lambda core: core.transfer(chosen))
        if not await _comes(lambda: self._node.reign.leader not in (None, own_id), _TRANSFER_S):
            raise RefusedError(
                Code.PROXY_TIMEOUT,
                f"node {chosen} did not take over within {_TRANSFER_S:g} s: is it reachable, and not far behind?",
            )
        return self._node.reign.leader or 0

    # --- members

    async def promote_master(self, *, is_alone: bool, is_forced: bool) -> Promoted:
        """See `GroupAdminPort`."""
        return await Promoter(self._node, self._member).promote(is_alone=is_alone, is_forced=is_forced)

    async def add_learner(self, node: int, peer: str, client: str) -> Configuration:
        """See `GroupAdminPort`. One that is a learner already is fine; its addresses are those that are given."""
        peer = _checked_address(peer, "peer address")
        client = _checked_address(client, "client address") if client else ""
        self._leading_member()
        now = self._node.view().configuration
        if now.is_voter(node):
            raise RefusedError(Code.BAD_REQUEST, f"node {node} is a voter of this group already")
        client = client or self._node.machine.members.get(node, ("", ""))[1]
        await self._node.carry_out(SetMember(*self._node.stamps(), node, peer, client))
        if node not in now.learners:
            await self._change(node, now.voters, (*now.learners, node))
        return self._node.view().configuration

    async def promote(self, node: int) -> Configuration:
        """See `GroupAdminPort`. One that is a voter already is fine."""
        self._leading_member()
        now = self._node.view().configuration
        if node not in now.voters:
            if node not in now.learners:
                raise RefusedError(Code.BAD_REQUEST, f"node {node} is no learner of this group: add it first")
            await self._change(node, (*now.voters, node), tuple(one for one in now.learners if one != node))
        return self._node.view().configuration

    async def remove(self, node: int) -> Configuration:
        """See `GroupAdminPort`. A leader hands over first; the next one goes on with it."""
        member = self._leading_member()
        view = self._node.view()
        now = view.configuration
        if node not in now.members:
            raise RefusedError(Code.BAD_REQUEST, f"node {node} is no member of this group: {_shown(now)}")
        voters = tuple(voter for voter in now.voters if voter != node)
        if not voters:
            raise RefusedError(Code.BAD_REQUEST, f"node {node} is the last voter: without it there would be no group")
        without = Configuration(voters, (), tuple(learner for learner in now.learners if learner != node))
        if not await self._can_decide(without, member.opinion):
            raise RefusedError(
                Code.BAD_REQUEST,
                f"without node {node} the group would stand still: of voters {', '.join(map(str, voters))} too few are up. "
                "Start those that are down, or remove one of them first",
            )
        if node == view.node_id:
            await self.transfer(member.furthest())
            raise NotLeaderError(self._node.reign.leader)
        await self._change(node, voters, without.learners)
        await self._node.carry_out(SetMember(*self._node.stamps(), node, "", ""))
        return self._node.view().configuration

    async def _change(self, node: int, voters: tuple[int, ...], learners: tuple[int, ...]) -> None:
        term = self._node.view().term
        self._node.order(lambda core: core.change_members(voters, learners))
        is_done = await _comes(lambda: is_settled(self._node) or self._node.reign.term != term, _CHANGE_S)
        if self._node.reign.term != term:
            raise NotLeaderError(self._node.reign.leader)
        if not is_done:
            raise RefusedError(
                Code.PROXY_TIMEOUT,
                f"the change of members is begun, but was not committed within {_CHANGE_S:g} s: is a majority of them up?",
            )
        now = self._node.view().configuration  # others may have changed meanwhile
        if (node in now.voters, node in now.learners) != (node in voters, node in learners):
            raise OutcomeUnknownError(
                "the leader's disk had no room for the change of members; the others may have it all the same"
            )

    async def _can_decide(self, without: Configuration, opinion: SecondOpinion) -> bool:
        """Whether those that are up decide now, as the change needs it, and will without the node that goes.

        They are asked: a node that died a moment ago is still taken for well. One that has only just come gets some time.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _ACTIVE_S
        while True:
            answering, view = await opinion.who_answers(), self._node.view()
            up = {view.node_id, *(peer.node_id for peer in view.peers if peer.is_active)} & answering
            if without.has_quorum(up.__contains__) and view.configuration.has_quorum(up.__contains__):
                return True
            if loop.time() > end_s:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)

    def _leading_member(self) -> Member:
        if self._member is None:
            raise RefusedError(Code.BAD_REQUEST, _ALONE)
        if self._node.group is not None and self._node.group.has_master:
            raise RefusedError(Code.BAD_REQUEST, _HAS_MASTER)
        if not self._node.reign.is_here:
            raise NotLeaderError(self._node.reign.leader)
        return self._member


def _copy_of(node: BrokerNode) -> tuple[str, bool]:
    """How a master copies, and whether it waits for a slave in vain; of a Raft group nothing."""
    if node.group is None or node.group.copy is None:
        return "", False
    return str(node.group.copy), master_slave_of(node).is_stalled


def _checked_address(text: str, what: str) -> str:
    """As it is written everywhere. Raises: RefusedError."""
    try:
        return show_address(parse_address(text, what))
    except IllegalArgumentError as error:
        raise RefusedError(Code.BAD_REQUEST, str(error)) from None


def _shown(members: Configuration) -> str:
    learners = f", learners {', '.join(map(str, members.learners))}" if members.learners else ""
    return f"voters {', '.join(map(str, members.voters))}{learners}"


async def _comes(is_true: Callable[[], bool], limit_s: float) -> bool:
    """Whether this comes true in time; nobody tells of a configuration that was committed, so it is looked at."""
    end_s = asyncio.get_running_loop().time() + limit_s
    while not is_true():
        if asyncio.get_running_loop().time() > end_s:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)
    return True
