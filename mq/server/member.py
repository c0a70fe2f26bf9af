"""A node's membership in its broker group: links to the others, and what it does when its leader is gone.

Raft finds a silent leader by its time-out. A process that died is known at once: the connections to it break. Then the others
need not wait (`mq.server.hunting`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from mq.broker.commands import Command, SetMember
from mq.broker.outcomes import Outcome
from mq.core.address import Address, show_address
from mq.raft.messages import Message
from mq.raft.role import Role
from mq.server.coming_in import HISTORY, REJOIN, WayIn
from mq.server.comparing import STATE_HASH, StateComparer
from mq.server.config import BrokerConfig
from mq.server.core import GroupSettings
from mq.server.hunting import Hunt
from mq.server.leaders_time import TIME, LeadersTime
from mq.server.member_addresses import ANNOUNCE, AddressBook
from mq.server.node import BrokerNode, Reign
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall, Serve
from mq.server.second_opinion import STANDING, SecondOpinion
from mq.server.slaves_way import SlavesWay
from mq.server.taking_part import Part, may_hear, may_say
from mq.server.voters_note import keep_noted

__all__ = ["Member"]

_HAND_OVER_S = 1.5
_log = logging.getLogger(__name__)


class Member:
    """Network and node of one member. Made before its node, which is given by `join`.

    client: as clients reach this node, if that is known; to be set before `join`. on_lost: called with a node's number when a
    connection with it broke. answers: to the calls that nodes make for themselves, by name; all others are clients'.
    """

    def __init__(self, config: BrokerConfig, settings: GroupSettings) -> None:
        self._config, self._settings = config, settings
        self._node: BrokerNode | None = None
        self._serve: Serve | None = None
        self._way: WayIn | None = None
        self._addresses: AddressBook | None = None
        self._opinion: SecondOpinion | None = None
        self._comparer: StateComparer | None = None
        self._time: LeadersTime | None = None
        self.client: Address | None = None
        self.on_lost: list[Callable[[int], None]] = []
        self.answers: dict[str, Serve] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.network = PeerNetwork(
            config.name, settings.node_id, secret=config.cluster_secret.encode(), on_message=self._on_message,
            on_lost=self._on_lost, on_reached=self._on_reached, serve=self._on_call,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        self._hunt = Hunt(settings.node_id, self, loop.call_later, loop.time)

    @property
    def node(self) -> BrokerNode:
        """The node."""
        assert self._node is not None
        return self._node

    @property
    def way(self) -> WayIn:
        """How this node came, or comes, into its group."""
        assert self._way is not None
        return self._way

    @property
    def addresses(self) -> AddressBook:
        """Where the members are reached."""
        assert self._addresses is not None
        return self._addresses

    @property
    def opinion(self) -> SecondOpinion:
        """Of the other nodes, about who leads."""
        assert self._opinion is not None
        return self._opinion

    @property
    def comparer(self) -> StateComparer:
        """Of this node's state with those of the others."""
        assert self._comparer is not None
        return self._comparer

    def part_so_far(self) -> str:
        """The part that this node takes while it is no full member yet. One that holds nothing is still asking, to others."""
        part = self.way.part
        if part is Part.FULL and self.node.log.last_index == 0:
            part = Part.ASKING
        return "" if part is Part.FULL else str(part)

    def client_addresses(self) -> list[Address] | None:
        """As clients reach the voters; None while that is not known of all."""
        return None if self._addresses is None else self._addresses.of_clients()

    @property
    def _is_full(self) -> bool:
        return self._way is not None and self._way.part is Part.FULL

    def join(self, node: BrokerNode, serve: Serve, has_room: Callable[[], bool] = lambda: True) -> None:
        """serve: carries out calls that others pass on. has_room: whether the disk here does."""
        self._node, self._serve = node, serve
        way = SlavesWay if self._settings.has_master else WayIn
        self._way = way(node, self.network, self._settings.node_id, self._settings.voters, self._on_part)
        self._addresses = AddressBook(self._config, node, self.network, self.client)
        self._opinion = SecondOpinion(node, self.network, has_room)
        self._comparer = StateComparer(node, self.network)
        self._time = LeadersTime(node, self.network)
        self.answers |= {
            HISTORY: self._way.answer, REJOIN: self._way.answer, ANNOUNCE: self._addresses.answer, STANDING: self._opinion.answer,
            STATE_HASH: self._comparer.answer, TIME: self._time.answer,
        }  # fmt: skip
        node.on_reign.append(self._on_reign)
        node.on_applied.append(self._on_applied)
        node.on_replaced.append(self._dial)

    async def start(self) -> None:
        """Listen for the others, dial them, and let time pass. Raises: PeerPortError."""
        address = self._config.peer_listen_address
        if address is not None:
            port = await self.network.listen(*address)
            _log.info("node %d of %s listens for others on %s", self._settings.node_id, self._config.name,
                      show_address((address[0], port)))  # fmt: skip
        self._dial()
        if self._is_full and not self._settings.has_master:
            self.node.begin_ticking()
        if len(self._settings.voters) == 1 and self._is_full:
            self.node.campaign()
        self.way.start()  # from here on a slave, or its master, is on its way, too
        assert self._time is not None
        self._tasks += [
            asyncio.create_task(self.addresses.announce_forever()),
            asyncio.create_task(
                keep_noted(
                    self.node,
                    self._config.data,
                    self.addresses.to_dial,
                    lambda: self._is_full,
                    has_master=self._settings.has_master,
                )
            ),
            asyncio.create_task(self._time.hear_forever()),
        ]
        if not self._settings.has_master:  # there is no majority that could be right
            self._tasks.append(asyncio.create_task(self.comparer.work_forever()))

    def _dial(self) -> None:
        self.network.set_peers(self.addresses.to_dial())

    def _on_applied(self, command: Command, _outcome: Outcome) -> None:
        if type(command) is SetMember:
            self.addresses.told(command)
            self._dial()

    def _on_part(self) -> None:
        """Time passes for full members alone: to one that comes back its log may still say that it is the only voter."""
        if self._is_full:
            self.node.begin_ticking()
            self._hunt_when_leaderless()

    def send(self, message: Message) -> None:
        """To another node."""
        if self._way is not None and may_say(self._way.part, message):
            self.network.send(message)

    def _on_message(self, message: Message) -> None:
        if self._way is None:
            return
        if self._way.part is Part.ASKING:
            self._way.hears(message.sender)
        if may_hear(self._way.part, message, self._way.note):
            self.node.receive(message)

    async def _on_call(self, call: IncomingCall) -> None:
        serve = self.answers.get(call.name, self._serve)
        assert serve is not None
        await serve(call)

    # --- a leader that is gone

    def _on_lost(self, peer: int) -> None:
        for notice in self.on_lost:
            notice(peer)
        if self._is_full and self.node.reign.leader == peer:
            self._hunt.lost(peer)

    def _on_reached(self, _peer: int) -> None:
        self._hunt_when_leaderless()

    def _hunt_when_leaderless(self) -> None:
        """With a majority in reach and no leader, as when all have just started, nobody has to wait for a time-out."""
        if not self._is_full or self.node.reign.leader is not None or self._hunt.is_on:
            return
        voters = self.node.core.configuration.voters
        reached = sum(1 for voter in voters if voter == self._settings.node_id or self.network.is_reachable(voter))
        if reached > len(voters) // 2:
            self._hunt.lost(None)

    def _on_reign(self, reign: Reign) -> None:
        self._hunt.leads(reign.leader)
        term, leads = ("epoch", "is the master") if self._settings.has_master else ("term", "leads")
        nobody = "no master is heard" if self._settings.has_master else "no leader is known"
        _log.info("%s %d: %s", term, reign.term, nobody if reign.leader is None else
                  f"node {reign.leader} {leads}" + (", ready" if reign.is_here else ""))  # fmt: skip

    # What the hunt asks and does.

    def voters(self) -> tuple[int, ...]:
        """Of the group, as this node knows it."""
        return tuple(self.node.core.configuration.voters)

    def leader(self) -> int | None:
        """Who leads, as far as this node knows."""
        return self.node.reign.leader

    def is_reachable(self, node: int) -> bool:
        """Whether a connection to that node stands."""
        return self.network.is_reachable(node)

    def standing(self) -> tuple[int, Role]:
        """Term and role of this node."""
        view = self.node.view()
        return view.term, view.role

    def campaign(self) -> None:
        """Ask for an election."""
        self.node.campaign()

    # --- the end

    def furthest(self, among: Sequence[int] | None = None) -> int:
        """Of the other voters that can be reached, or of these alone, the one whose log is the longest; 0 without any."""
        others = [voter for voter in self.node.core.configuration.voters if voter != self._settings.node_id]
        others = others if among is None else [other for other in others if other in among]
        matched = {peer.node_id: peer.match_index for peer in self.node.view().peers}
        return max(filter(self.network.is_reachable, others), key=lambda other: matched.get(other, 0), default=0)

    async def hand_over(self, among: Sequence[int] | None = None) -> bool:
        """Let another one lead, so that no client notices: before a planned end, or because of these nodes' better disks.

        Whether one does. Raises: RefusedError when members are being changed.
        """
        if self._node is None or self._settings.has_master:  # it ends before it took any part; or a person names the next one
            return False
        node, to = self._node, self.furthest(among)
        if self.standing()[1] is not Role.LEADER or not to:
            return False
        _log.info("handing leadership over to node %d", to)
        node.order(lambda core: core.transfer(to))
        try:
            async with asyncio.timeout(_HAND_OVER_S):
                await node.until(lambda: node.reign.leader not in (None, self._settings.node_id))
                await node.until(lambda: not node.has_pending)
        except TimeoutError:
            _log.warning("leadership was not handed over within %g s", _HAND_OVER_S)
        return node.reign.leader not in (None, self._settings.node_id)

    async def close(self) -> None:
        """No more messages."""
        self._hunt.stop()
        for task in self._tasks:
            task.cancel()
        if self._way is not None:
            await self._way.stop()
        await self.network.close()
