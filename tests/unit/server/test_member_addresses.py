"""Where members are reached: settings first, then what the group knows; and what each says of itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from mq.broker import commands as c
from mq.core.address import Address
from mq.raft.configuration import Configuration
from mq.raft.errors import NotLeaderError
from mq.server.config import BrokerConfig
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.member_addresses import ANNOUNCE, AddressBook
from mq.server.node import BrokerNode
from mq.server.peer_calling import OutgoingCall
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.voters_note import VOTERS_FILE, VotersNote, _encoded

OWN_CLIENT = ("127.0.0.1", 8081)


class NoNetwork:
    """Nobody is there."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, OutgoingCall]] = []

    async def call(self, node: int, call: OutgoingCall) -> bytes:
        self.calls.append((node, call))
        return b"{}"


class Question:
    """An announcement of another node."""

    name = ANNOUNCE

    def __init__(self, peer: int, told: dict[str, str]) -> None:
        self.peer, self.request, self.answered = peer, json.dumps(told).encode(), b""

    async def answer(self, data: bytes, *, is_last: bool) -> None:
        assert is_last
        self.answered = data


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[BrokerNode]:
    """The only voter of its group, which leads."""
    made = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10, group=GroupSettings(node_id=1, voters=(1,)))
    made.campaign()
    async with asyncio.timeout(10):
        await made.until(lambda: made.reign.is_here)
        yield made
        await made.close()


def book(node: BrokerNode, *peers: str, client: Address | None = OWN_CLIENT, data: Path = Path("x"), **more: str) -> AddressBook:
    config = BrokerConfig(data=data, peers=peers or ("1=127.0.0.1:1001",), **more)  # type: ignore[arg-type]
    return AddressBook(config, node, cast(PeerNetwork, NoNetwork()), client)


async def tell(node: BrokerNode, number: int, peer: str, client: str) -> None:
    await node.carry_out(c.SetMember(*node.stamps(), number, peer, client))


async def test_added_members_are_dialed_and_the_nodes_own_settings_win(node: BrokerNode) -> None:
    addresses = book(node, "1=127.0.0.1:1001", "2=127.0.0.1:1002")
    assert addresses.to_dial() == {1: ("127.0.0.1", 1001), 2: ("127.0.0.1", 1002)}
    await tell(node, 2, "127.0.0.1:2", "")
    await tell(node, 4, "[::1]:4", "")
    assert addresses.to_dial() == {1: ("127.0.0.1", 1001), 2: ("127.0.0.1", 1002), 4: ("::1", 4)}
    await tell(node, 4, "", "")
    assert 4 not in addresses.to_dial(), "it is gone"


async def test_who_is_a_member_no_more_is_not_dialed_by_an_old_note(node: BrokerNode, tmp_path: Path) -> None:
    note = VotersNote(Configuration.of(1, 2, 3), {2: ("127.0.0.1", 2), 3: ("127.0.0.1", 3)})
    (tmp_path / VOTERS_FILE).write_bytes(_encoded(note))
    addresses = book(node, data=tmp_path)
    itself = {1: ("127.0.0.1", 1001)}
    assert addresses.to_dial() == {**note.peers, **itself}
    addresses.told(c.SetMember(*node.stamps(), 2, "", "127.0.0.1:8082"))
    assert addresses.to_dial() == {**note.peers, **itself}, "only how the others reach it is not known of it"
    addresses.told(c.SetMember(*node.stamps(), 2, "", ""))
    assert addresses.to_dial() == {3: ("127.0.0.1", 3), **itself}


async def test_clients_are_told_of_voters_alone_and_only_when_all_are_known(node: BrokerNode) -> None:
    addresses = book(node)
    assert addresses.of_clients() is None
    await tell(node, 4, "", "127.0.0.1:8084")
    assert addresses.of_clients() is None, "node 4 is no voter, and of node 1 nothing is known"
    await tell(node, 1, "", "127.0.0.1:8081")
    assert addresses.of_clients() == [("127.0.0.1", 8081)]


async def until_told(node: BrokerNode, addresses: AddressBook, number: int) -> tuple[str, str]:
    """What the group knows of a node once its announcement is applied."""
    task = asyncio.create_task(addresses.announce_forever())
    try:
        await node.until(lambda: number in node.machine.members)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return node.machine.members[number]


async def test_a_node_says_where_it_is(node: BrokerNode) -> None:
    assert await until_told(node, book(node), 1) == ("127.0.0.1:1001", "127.0.0.1:8081")


async def test_a_node_names_the_address_that_it_listens_on_and_not_the_way_through_a_proxy(node: BrokerNode) -> None:
    assert (await until_told(node, book(node, peer_listen="127.0.0.1:77"), 1))[0] == "127.0.0.1:77"


async def test_where_a_node_listens_on_all_addresses_its_own_entry_counts(node: BrokerNode) -> None:
    addresses = book(node, "1=127.0.0.1:1001", peer_listen="0.0.0.0:77", cluster_secret="sesame")
    assert (await until_told(node, addresses, 1))[0] == "127.0.0.1:1001"


async def test_what_is_known_already_is_not_written_again(node: BrokerNode) -> None:
    addresses = book(node)
    await until_told(node, addresses, 1)
    before = node.machine.applied_index
    question = Question(1, {"peer": "127.0.0.1:9", "client": "127.0.0.1:8081"})
    await addresses.answer(cast(IncomingCall, question))
    assert question.answered == b"{}"
    assert node.machine.applied_index == before, "who added the node knows best how the others reach it"


async def test_nobody_but_a_member_is_believed(node: BrokerNode) -> None:
    await book(node).answer(cast(IncomingCall, Question(9, {"peer": "127.0.0.1:9", "client": ""})))
    assert node.machine.members == {}


async def test_a_node_that_does_not_lead_notes_nothing(tmp_path: Path) -> None:
    follower = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10, group=GroupSettings(node_id=1, voters=(1, 2, 3)))
    with pytest.raises(NotLeaderError):
        await book(follower).answer(cast(IncomingCall, Question(1, {"peer": "", "client": ""})))
    await follower.close()
