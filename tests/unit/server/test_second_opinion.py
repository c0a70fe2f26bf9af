"""A node without a leader asks the others whether they have one."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

from mq.core.errors import Code, RefusedError
from mq.core.ids import EntryId, LogIndex, Term
from mq.server.core import GroupSettings
from mq.server.node import BrokerNode, Reign
from mq.server.peer_calling import OutgoingCall, PeerUnreachableError
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.second_opinion import STANDING, SecondOpinion

UNREACHED = PeerUnreachableError("there is no connection with node 2")

SILENT = object()


def opinion(**answers: Any) -> SecondOpinion:
    """Of node 1, whose peers 2 and 3 answer so: by `two` and `three`, an error or what is said."""
    said = {2: answers["two"], 3: answers["three"]}

    async def call(node: int, call: OutgoingCall) -> bytes:
        await asyncio.sleep(0)
        assert call.name == STANDING
        if said[node] is SILENT:
            await asyncio.Event().wait()
        if isinstance(said[node], Exception):
            raise said[node]
        return json.dumps(said[node]).encode()

    core = SimpleNamespace(configuration=SimpleNamespace(voters=(1, 2, 3)))
    node = SimpleNamespace(group=GroupSettings(node_id=1, voters=(1, 2, 3)), core=core)
    return SecondOpinion(cast(BrokerNode, node), cast(PeerNetwork, SimpleNamespace(call=call)), lambda: True)


async def test_one_peer_that_follows_another_node_is_enough() -> None:
    assert await opinion(two=UNREACHED, three={"leader": 2}).is_led()
    assert await opinion(two={"leader": 2}, three={"leader": None}).is_led()


async def test_the_silent_leader_itself_is_not_waited_for() -> None:
    async with asyncio.timeout(10):
        assert await opinion(two=SILENT, three={"leader": 2}).is_led()
        assert await opinion(two={"leader": 3}, three=SILENT).is_led()


async def test_nobody_who_follows_this_node_or_no_node_or_cannot_be_asked_is_led() -> None:
    assert not await opinion(two=UNREACHED, three={"leader": None}).is_led()
    assert not await opinion(two={"leader": 1}, three=UNREACHED).is_led()
    unknown = RefusedError(Code.NOT_IMPLEMENTED, "PeerStanding: no such call")
    assert not await opinion(two=unknown, three={"leader": "who?"}).is_led()


async def test_those_have_room_that_say_so() -> None:
    assert await opinion(two={"leader": 1, "has_room": True}, three={"leader": 1, "has_room": False}).with_room() == [2]
    assert await opinion(two=UNREACHED, three={"leader": 1, "has_room": "yes"}).with_room() == []
    assert await opinion(two=UNREACHED, three={"leader": 1}).with_room() == [], "one of an older version"


async def test_those_are_up_that_answer_whatever_they_say() -> None:
    assert await opinion(two={"leader": None}, three={}).who_answers() == {1, 2, 3}
    assert await opinion(two=UNREACHED, three={"leader": 1}).who_answers() == {1, 3}


async def test_a_node_tells_whom_it_follows_and_whether_it_has_room() -> None:
    told: list[bytes] = []

    async def answer(data: bytes, *, is_last: bool) -> None:
        assert is_last
        told.append(data)

    for leader, has_room in ((2, False), (None, True)):
        view = SimpleNamespace(term=4, last=EntryId(Term(3), LogIndex(9)))
        node = SimpleNamespace(reign=Reign(4, leader, is_here=False), view=lambda view=view: view)
        asked = SecondOpinion(cast(BrokerNode, node), cast(PeerNetwork, None), lambda has_room=has_room: has_room)  # type: ignore[misc]
        await asked.answer(cast(IncomingCall, SimpleNamespace(answer=answer)))
    log = {"epoch": 4, "last": 9, "last_term": 3}
    assert list(map(json.loads, told)) == [{"leader": 2, "has_room": False} | log, {"leader": None, "has_room": True} | log]
