"""Nobody but a node of the group can say that a message is stored. RocketMQ's issues 1155 and 3015.

There, whoever reached the port of the master's replicas could report any offset as its own, and producers were told of copies
that did not exist. Here a leader without its followers is called by strangers that report everything as stored. A node that has
the cluster's secret is trusted: Raft's nodes fail by stopping, they do not lie.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from mq.core.address import parse_address
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendReply
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.frames import FrameKind, encode_head
from mq.rpc.handshake import NONCE_BYTES, Dialing, Identity, Purpose
from mq.rpc.peer_codec import encode_message
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.cluster.sending import sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)

_FAR = LogIndex(1 << 40)
_PAUSE_S = 0.01


def lie(sender: int, to: int, term: int) -> bytes:
    """A frame in which a follower reports far more than there is as stored."""
    said = AppendReply(sender, to, Term(term), True, _FAR, LogIndex(0), EntryId(Term(term), _FAR), 1)
    body = encode_message(said)
    return encode_head(FrameKind.RAFT, len(body)) + body


class Stranger:
    """Calls a node again and again, and says that it is another one that has everything. calls: how often it was heard out."""

    def __init__(self, address: str, sender: int, to: int, term: int, *, knows_greeting: bool) -> None:
        self.calls = 0
        self._address, self._knows_greeting = parse_address(address, "peer"), knows_greeting
        self._dialing = Dialing(Identity("broker-a", sender, b"guessed"), to, Purpose.RAFT, b"n" * NONCE_BYTES)
        self._lie = lie(sender, to, term)
        self.over = threading.Event()

    def run(self) -> None:
        """Until `over`."""
        while not self.over.wait(_PAUSE_S):
            asyncio.run(self._call())

    async def _call(self) -> None:
        try:
            reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            return
        if self._knows_greeting:
            hello = self._dialing.hello
            writer.write(encode_head(FrameKind.HELLO, len(hello)) + hello)
            writer.write(encode_head(FrameKind.PROOF, 32) + bytes(32))
        writer.write(self._lie * 3)
        try:
            async with asyncio.timeout(5):
                while await reader.read(1 << 16):
                    pass
            self.calls += 1
        except (TimeoutError, ConnectionError):
            self.calls += 1
        writer.close()


@contextmanager
def telling_lies(strangers: list[Stranger]) -> Iterator[None]:
    """While they do."""
    threads = [threading.Thread(target=each.run) for each in strangers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for each in strangers:
            each.over.set()
        for thread in threads:
            thread.join()


def strangers_at(group: Group, leader: str) -> list[Stranger]:
    """Two for each follower's name: one that knows how to greet, one that does not."""
    with Connection(group.clients[leader], timeout_s=5.0) as connection:
        term = AdminClient(connection).describe_raft().term
    nodes = {node.name: node for node in group.cluster.status().nodes}
    asked = nodes[leader]
    return [
        Stranger(asked.peer, nodes[name].node, asked.node, term, knows_greeting=knows)
        for name in group.others(leader)
        for knows in (False, True)
    ]


def check_acknowledges_nothing(group: Group, leader: str, minority: RawClient) -> None:
    """Until its door is closed."""
    sends = 0
    while group.is_open(leader):
        sends += 1
        try:
            assert minority.try_send(b"with nobody else %d" % sends) != OK
        except grpc.RpcError:
            break
    assert sends


def test_issues_1155_and_3015_a_stranger_that_reports_an_offset_makes_no_leader_acknowledge(
    group: Group, place: Place, official: Official
) -> None:
    topic, leader = place.topic, group.leader()
    official.producer("anna", topic=topic)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2"])
    wait_for_more(official, "anna", 20)
    strangers = strangers_at(group, leader)
    with RawClient(group.clients[leader], topic, "") as minority, telling_lies(strangers):
        wait_for_more(official, "anna", 20)
        wait_until(lambda: all(each.calls for each in strangers), "each was heard")
        assert group.leader() == leader, "it does not care"
        minority.send(b"before")
        group.cluster.isolate(leader)
        check_acknowledges_nothing(group, leader, minority)
        calls = [each.calls for each in strangers]
        wait_until(lambda: all(now.calls > then for now, then in zip(strangers, calls, strict=True)), "each is heard again")
    group.mend()
    wait_for_more(official, "anna", 20)
    sent = sent_by(official, "anna")
    stored = [one.body.decode() for one in group.stored(topic)]
    assert {one.body for one in sent if not one.error} | {"before"} <= set(stored)
    assert "is no node of this group" in group.log_of(leader)
