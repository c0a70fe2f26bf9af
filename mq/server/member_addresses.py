"""Where the members of a group are reached: what this node was told at its start, and what the group itself knows.

The group's knowledge is in its replicated state (`mq.broker.commands.SetMember`): the addresses of a node that is added
stand there before it is a member, and every member says its own once. This node's own `--peers` win: it may reach the
others by other ways than they know of.
"""

import asyncio
import json
import logging

from mq.broker.commands import SetMember
from mq.core.address import Address, check_advertised, parse_address, show_address
from mq.core.errors import IllegalArgumentError, MqError
from mq.raft.errors import NotLeaderError
from mq.server.config import BrokerConfig
from mq.server.node import BrokerNode
from mq.server.peer_calling import OutgoingCall
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.voters_note import noted_voters

__all__ = ["ANNOUNCE", "AddressBook"]

ANNOUNCE = "PeerAnnounce"
"""A call between nodes alone: where the caller is reached."""

_LOOK_EVERY_S = 0.5
_CALL_S = 1.0
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
_log = logging.getLogger(__name__)


class AddressBook:
    """See the module. client: as clients reach this node; None where that is not known."""

    def __init__(self, config: BrokerConfig, node: BrokerNode, network: PeerNetwork, client: Address | None) -> None:
        self._config, self._node, self._network = config, node, network
        self._static = config.peer_addresses
        noted = noted_voters(config.data)
        self._noted = dict(noted.peers) if noted is not None else {}
        self._client = client

    # --- looking

    def to_dial(self) -> dict[int, Address]:
        """Whom this node keeps connections to."""
        told = {node: found for node, (peer, _) in self._node.machine.members.items() if (found := _parsed(peer)) is not None}
        return {**self._noted, **told, **self._static}

    def told(self, command: SetMember) -> None:
        """The group says where a node is, or that it is a member no more: then it is not dialed by an old note, either."""
        if not (command.peer_address or command.client_address):
            self._noted.pop(command.node, None)

    def of_clients(self) -> list[Address] | None:
        """As clients reach the voters, in order; None while that of one of them is not known, or they cannot stand together."""
        told = self._node.machine.members
        found = [_parsed(told.get(voter, ("", ""))[1]) for voter in self._node.core.configuration.voters]
        addresses = sorted({address for address in found if address is not None})  # all may be behind one and the same
        try:
            check_advertised(addresses)
        except IllegalArgumentError:
            return None
        return addresses if None not in found else None

    # --- telling

    def _own(self) -> tuple[str, str]:
        own = self._static.get(self._config.node)
        listens = self._config.peer_listen_address if self._config.peer_listen else None
        if listens is not None and listens[1] and listens[0] not in _ANYWHERE:
            own = listens
        return show_address(own) if own else "", show_address(self._client) if self._client else ""

    async def announce_forever(self) -> None:
        """Say where this node is reached, as long as the group does not know it. Only for a node that takes part."""
        while True:
            peer, client = self._own()
            told = self._node.machine.members.get(self._config.node, ("", ""))
            if self._node.reign.leader is not None and told != _merged(told, peer, client):
                await self._say(peer, client)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _say(self, peer: str, client: str) -> None:
        leader = self._node.reign.leader
        try:
            if leader == self._config.node:
                await self._note(self._config.node, peer, client)
            elif leader is not None:
                question = json.dumps({"peer": peer, "client": client}).encode()
                await self._network.call(leader, OutgoingCall(ANNOUNCE, (), question, _CALL_S))
        except MqError as error:
            _log.debug("where this node is reached cannot be told yet: %s", error)

    async def answer(self, call: IncomingCall) -> None:
        """A member says where it is. Raises: NotLeaderError."""
        found = json.loads(call.request)
        await self._note(call.peer, str(found["peer"]), str(found["client"]))
        await call.answer(b"{}", is_last=True)

    async def _note(self, node: int, peer: str, client: str) -> None:
        if not self._node.reign.is_here:
            raise NotLeaderError(self._node.reign.leader)
        told = self._node.machine.members.get(node, ("", ""))
        wanted = _merged(told, peer, client)
        if wanted != told and node in self._node.core.configuration.members:
            await self._node.carry_out(SetMember(*self._node.stamps(), node, *wanted))


def _merged(told: tuple[str, str], peer: str, client: str) -> tuple[str, str]:
    """How the other nodes reach it, whoever added it knows best; what clients are told, the node itself."""
    return told[0] or peer, client or told[1]


def _parsed(text: str) -> Address | None:
    return parse_address(text, "member") if text else None
