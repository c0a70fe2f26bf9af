"""The nodes of a group, in our own service: each describes itself, and the leader changes who leads and who belongs to it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from mq.core.errors import Code, RefusedError
from mq.proto import broker_v1_pb2 as pb
from mq.raft.configuration import Configuration
from mq.raft.view import NodeView
from mq.rpc.handling import Context, Handler
from mq.rpc.wire import parse

__all__ = ["GroupAdminPort", "MemberAddress", "Promoted", "RaftHandlers", "RaftState"]

_OK = int(Code.OK)
_NODE_MAX = 255


class MemberAddress(NamedTuple):
    """Where a member is reached, as HOST:PORT; empty where that is not known. peer: by this node. client: by clients."""

    node_id: int
    peer: str
    client: str


class RaftState(NamedTuple):
    """A node of a group at a glance. part: see `broker_v1.proto`. state_hash: (index, hash of the state behind it).

    organs: (name, class, calls) of the parts of the node that can be replaced. copy, is_stalled: of a master and its slaves.
    """

    name: str
    view: NodeView
    part: str
    is_changing: bool
    snapshot_index: int
    addresses: Sequence[MemberAddress]
    state_hash: tuple[int, int] | None = None
    organs: Sequence[tuple[str, str, int]] = ()
    copy: str = ""
    is_stalled: bool = False


class Promoted(NamedTuple):
    """A node that is the master now. needs_slave: nothing is acknowledged without one."""

    node_id: int
    epoch: int
    needs_slave: bool


class GroupAdminPort(Protocol):
    """The group, for those who look after it."""

    def describe(self, *, with_state_hash: bool) -> RaftState:
        """This node. with_state_hash: costs a snapshot."""

    async def transfer(self, to: int) -> int:
        """Hand leadership over, to whoever is furthest for 0; who leads then. Raises: NotLeaderError; RefusedError."""

    async def add_learner(self, node: int, peer: str, client: str) -> Configuration:
        """Give a new node the log; the members then. Raises: NotLeaderError; RefusedError."""

    async def promote(self, node: int) -> Configuration:
        """Make a learner a voter. Raises: NotLeaderError; RefusedError."""

    async def remove(self, node: int) -> Configuration:
        """Let a node go. Raises: NotLeaderError; RefusedError."""

    async def set_writable(self, broker: str, *, is_writable: bool) -> None:
        """Whether this broker group, which is to have that name, takes messages. Raises: NotLeaderError; RefusedError."""

    async def promote_master(self, *, is_alone: bool, is_forced: bool) -> Promoted:
        """Make this node the master. Raises: RefusedError."""


class RaftHandlers:
    """One handler for each RPC that concerns the group; `by_name` is the table to register.

    clients: HOST:PORT by which those who ask here reach a node, where it is another one than the group knows of.
    """

    def __init__(self, group: GroupAdminPort, clients: Mapping[int, str] | None = None) -> None:
        self._group = group
        self._clients = clients or {}
        self.by_name: dict[str, Handler] = {
            "DescribeRaft": self.describe_raft,
            "TransferLeadership": self.transfer_leadership,
            "ChangeMembers": self.change_members,
            "SetWritable": self.set_writable,
            "PromoteMaster": self.promote_master,
        }

    async def describe_raft(self, raw: bytes, _context: Context) -> bytes:
        """The node that is asked."""
        state = self._group.describe(with_state_hash=parse(pb.DescribeRaftRequest, raw).with_state_hash)
        view, members = state.view, state.view.configuration
        answer = pb.DescribeRaftResponse(
            code=_OK, name=state.name, node_id=view.node_id, role=str(view.role), part=state.part, term=view.term, vote=view.vote,
            leader=view.leader, commit_index=view.commit_index, applied_index=view.applied_index, first_index=view.first_index,
            last_index=view.last.index, last_term=view.last.term, durable_index=view.durable_index,
            snapshot_index=state.snapshot_index, voters=members.voters, old_voters=members.old_voters, learners=members.learners,
            is_changing=state.is_changing, is_transferring=view.is_transferring,
            copy=state.copy, is_stalled=state.is_stalled,
        )  # fmt: skip
        for peer in view.peers:
            answer.peers.add(
                node_id=peer.node_id, state=peer.state, match_index=peer.match_index, next_index=peer.next_index,
                in_flight=peer.in_flight, is_active=peer.is_active, lag=view.last.index - peer.match_index,
            )  # fmt: skip
        for address in state.addresses:
            client = self._clients.get(address.node_id, address.client)
            answer.addresses.add(node_id=address.node_id, peer_address=address.peer, client_address=client)
        for name, class_name, calls in state.organs:
            answer.organs.add(name=name, class_name=class_name, calls=calls)
        if state.state_hash is not None:
            answer.state_index, answer.state_hash = state.state_hash
        return answer.SerializeToString()

    async def transfer_leadership(self, raw: bytes, _context: Context) -> bytes:
        """Let another node lead."""
        to = parse(pb.TransferLeadershipRequest, raw).to
        leader = await self._group.transfer(_checked(to) if to else 0)
        return pb.TransferLeadershipResponse(code=_OK, leader=leader).SerializeToString()

    async def promote_master(self, raw: bytes, _context: Context) -> bytes:
        """The node that is asked is to be the master."""
        request = parse(pb.PromoteMasterRequest, raw)
        found = await self._group.promote_master(is_alone=request.is_alone, is_forced=request.is_forced)
        return pb.PromoteMasterResponse(
            code=_OK, node_id=found.node_id, epoch=found.epoch, needs_slave=found.needs_slave
        ).SerializeToString()

    async def change_members(self, raw: bytes, _context: Context) -> bytes:
        """One step of a change."""
        request = parse(pb.ChangeMembersRequest, raw)
        match request.WhichOneof("change"):
            case "add_learner":
                add = request.add_learner
                members = await self._group.add_learner(_checked(add.node_id), add.peer_address, add.client_address)
            case "promote":
                members = await self._group.promote(_checked(request.promote))
            case "remove":
                members = await self._group.remove(_checked(request.remove))
            case _:
                raise RefusedError(Code.BAD_REQUEST, "change: one of add_learner, promote, remove is needed")
        return pb.ChangeMembersResponse(code=_OK, voters=members.voters, learners=members.learners).SerializeToString()

    async def set_writable(self, raw: bytes, _context: Context) -> bytes:
        """Drain the group, or let it take part again."""
        request = parse(pb.SetWritableRequest, raw)
        await self._group.set_writable(request.broker, is_writable=request.is_writable)
        return pb.SetWritableResponse(code=_OK).SerializeToString()


def _checked(node: int) -> int:
    if not 1 <= node <= _NODE_MAX:
        raise RefusedError(Code.BAD_REQUEST, f"node {node} is outside of 1 to {_NODE_MAX}")
    return node
