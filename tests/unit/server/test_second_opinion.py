"""A node without a leader asks the others whether they have one."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

from mq.core.errors import Code, RefusedError
from mq.server.core import GroupSettings
from mq.server.node import BrokerNode, Reign
from mq.server.peer_calling import OutgoingCall, PeerUnreachableError
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.second_opinion import FOLLOWS, SecondOpinion

UNREACHED = PeerUnreachableError("there is no connection with node 2")


def opinion(**answers: Any) -> SecondOpinion:
    """Of node 1, whose peers 2 and 3 answer so: by `two` and `three`, an error or what is said."""
    said = {2: answers["two"], 3: answers["three"]}

    async def call(node: int, call: OutgoingCall) -> bytes:
        await asyncio.sleep(0)
        assert call.name == FOLLOWS
        if isinstance(said[node], Exception):
            raise said[node]
        return json.dumps(said[node]).encode()

    core = SimpleNamespace(configuration=SimpleNamespace(voters=(1, 2, 3)))
    node = SimpleNamespace(group=GroupSettings(node_id=1, voters=(1, 2, 3)), core=core)
    return SecondOpinion(cast(BrokerNode, node), cast(PeerNetwork, SimpleNamespace(call=call)))


async def test_one_peer_that_follows_another_node_is_enough() -> None:
    assert await opinion(two=UNREACHED, three={"leader": 2}).is_led()
    assert await opinion(two={"leader": 2}, three={"leader": None}).is_led()


async def test_nobody_who_follows_this_node_or_no_node_or_cannot_be_asked_is_led() -> None:
    assert not await opinion(two=UNREACHED, three={"leader": None}).is_led()
    assert not await opinion(two={"leader": 1}, three=UNREACHED).is_led()
    unknown = RefusedError(Code.NOT_IMPLEMENTED, "PeerFollows: no such call")
    assert not await opinion(two=unknown, three={"leader": "who?"}).is_led()


async def test_a_node_tells_whom_it_follows() -> None:
    told: list[bytes] = []

    async def answer(data: bytes, *, is_last: bool) -> None:
        assert is_last
        told.append(data)

    for leader in (2, None):
        node = SimpleNamespace(reign=Reign(4, leader, is_here=False))
        asked = SecondOpinion(cast(BrokerNode, node), cast(PeerNetwork, None))
        await asked.answer(cast(IncomingCall, SimpleNamespace(answer=answer)))
    assert [json.loads(one)["leader"] for one in told] == [2, None]
