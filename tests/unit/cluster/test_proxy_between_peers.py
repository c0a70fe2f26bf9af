"""The links of real nodes through the proxy: they notice a cut only by silence, and find each other again when it is healed."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mq.cluster.proxy import Proxy
from mq.server.peer_connection import PeerTimes
from tests.unit.server.eventually import until
from tests.unit.server.peers import HOST, Node, numbered, running

QUICK = PeerTimes(greeting_s=0.2, ping_s=0.1)


@asynccontextmanager
async def proxied(*nodes: Node) -> AsyncIterator[Proxy]:
    """The nodes are connected with each other, all of it through a proxy; node 1 is called "1"."""
    async with running(*nodes):
        links = [(str(a.id), str(b.id)) for a in nodes for b in nodes if a is not b]
        proxy = Proxy({str(node.id): node.address for node in nodes}, links, "token")
        await proxy.start()
        for node in nodes:
            ports = {other.id: proxy.ports[str(node.id), str(other.id)] for other in nodes if other is not node}
            node.network.set_peers({other: (HOST, port) for other, port in ports.items()})
        await until(lambda: all(node.is_ready(other.id) for node in nodes for other in nodes if other is not node))
        try:
            yield proxy
        finally:
            await proxy.close()


async def test_an_isolated_node_is_lost_by_silence_and_comes_back_after_healing() -> None:
    one, two, three = (Node(number, times=QUICK) for number in (1, 2, 3))
    async with proxied(one, two, three) as proxy:
        proxy.fabric.cut("1", "2", is_one_way=False)
        proxy.fabric.cut("1", "3", is_one_way=False)
        assert one.network.is_reachable(2), "nobody is told"
        await until(lambda: 2 in one.lost and 3 in one.lost and 1 in two.lost and 1 in three.lost)
        await until(lambda: not any((one.is_ready(2), one.is_ready(3), two.is_ready(1), three.is_ready(1))))
        assert (2 in three.lost, 3 in two.lost) == (False, False)
        two.network.send(numbered(2, 3, 5))
        await until(lambda: three.messages == [numbered(2, 3, 5)])
        assert not any((one.is_ready(2), one.is_ready(3), two.is_ready(1), three.is_ready(1)))
        proxy.fabric.heal()
        await until(lambda: one.is_ready(2) and one.is_ready(3) and two.is_ready(1) and three.is_ready(1))
        one.network.send(numbered(1, 2, 7))
        await until(lambda: two.messages == [numbered(1, 2, 7)])


async def test_after_a_short_cut_connections_that_lost_something_are_replaced() -> None:
    one, two = Node(1), Node(2)
    async with proxied(one, two) as proxy:
        proxy.fabric.cut("1", "2", is_one_way=True)
        one.network.send(numbered(1, 2, 1))
        await until(lambda: any(connection.has_lost for connection in proxy.fabric.connections))
        two.network.send(numbered(2, 1, 2))
        await until(lambda: one.messages == [numbered(2, 1, 2)])
        assert two.messages == []
        proxy.fabric.heal()
        await until(lambda: 2 in one.lost)
        await until(lambda: one.is_ready(2) and two.is_ready(1))
        one.network.send(numbered(1, 2, 3))
        await until(lambda: two.messages == [numbered(1, 2, 3)])


async def test_a_dead_node_is_noticed_at_once_through_the_proxy() -> None:
    one, two = Node(1), Node(2)
    async with proxied(one, two):
        two.die()
        began_s = time.monotonic()
        await until(lambda: 2 in one.lost)
        assert time.monotonic() - began_s < 1.5, "silence alone would take 6 s"
