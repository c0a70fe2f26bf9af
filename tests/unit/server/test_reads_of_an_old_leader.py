"""A leader that was cut off, and for which no time passes: it does not know that another one leads, and answers no read."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from mq.broker.delivery.receipt import ReceiptHandle
from mq.core.errors import RefusedError
from mq.core.message import MessageKind
from mq.raft.errors import NotLeaderError
from mq.rpc import passing
from mq.rpc.handling import Context, Handler
from mq.rpc.methods import BROKER, MESSAGING
from mq.rpc.passing import PassedContext, Passer
from mq.server.clients import Clients
from mq.server.coming_in import REJOIN, WayIn, is_settled
from mq.server.delivering import Deliverer
from mq.server.node import BrokerNode
from mq.server.passing import PassedCalls, Peers
from mq.server.peer_calling import OutgoingCall
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.sending import Sender
from mq.server.space import SpaceGuard
from tests.unit.server.trio import LIMIT_S, Trio, message, send, topic

READS = ["DescribeTopic", "GetOffset"]
CONTEXT = cast(Context, PassedContext((), None))
OLD, NEW = b"1 message", b"3 messages"


class Divided(NamedTuple):
    """old: a leader that holds one message and believes in itself. new: the one that leads in truth, and holds three."""

    trio: Trio
    old: BrokerNode
    new: BrokerNode


@pytest.fixture
async def divided(tmp_path: Path) -> AsyncIterator[Divided]:
    trio = Trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        trio.start(1, 2, 3)
        old = await trio.leader()
        await old.carry_out(topic(old))
        await send(old, 0, 1)
        yield await divide(trio, old)
        await trio.stop()


async def divide(trio: Trio, old: BrokerNode) -> Divided:
    """This leader is alone from now on."""
    assert old.group is not None
    assert old._tick_timer is not None
    old._tick_timer.cancel()
    number = old.group.node_id
    trio.cut = {(number, other) for other in (1, 2, 3)} | {(other, number) for other in (1, 2, 3)}
    new = await trio.leader(but=number)
    await send(new, 1, 2)
    return Divided(trio, old, new)


def handler_of(node: BrokerNode) -> Handler:
    """Tells what this node knows."""

    async def count(_raw: bytes, _context: Context) -> bytes:
        found = node.machine.queue("t", 0).max_offset
        return OLD if found == 1 else b"%d messages" % found

    return count


def passed_to(node: BrokerNode, name: str) -> Callable[[], Any]:
    """A call that another node passed on to this one; returns the answers."""

    async def serve() -> list[bytes]:
        answers: list[bytes] = []

        async def answer(data: bytes, *, is_last: bool) -> None:
            assert is_last
            answers.append(data)

        call = SimpleNamespace(name=name, headers=(), deadline_s=None, request=b"", answer=answer, peer=2)
        await PassedCalls(node, {**MESSAGING, **BROKER}, {name: handler_of(node)}).serve(cast(IncomingCall, call))
        return answers

    return serve


class Network:
    """Between these nodes, for calls; it is never cut: what is asked of whom is for the nodes to know."""

    def __init__(self, trio: Trio) -> None:
        self._trio = trio

    async def call(self, node: int, call: OutgoingCall) -> bytes:
        (answer,) = await passed_to(self._trio.nodes[node], call.name)()
        return cast(bytes, answer)

    def give_up_calls(self, *_: object, **_more: object) -> None:
        return


def asked_at(divided: Divided, name: str) -> Any:
    """A client's call that came in at the old leader's own door."""
    assert divided.old.group is not None
    peers = Peers(divided.old, cast(PeerNetwork, Network(divided.trio)), divided.old.group.node_id)
    return Passer(peers).unary(name, handler_of(divided.old))(b"", CONTEXT)


async def pending(work: Any, divided: Divided) -> Any:
    """This work, which others had all time to end."""
    task = asyncio.ensure_future(work)
    await send(divided.new, 3, 1)  # the others write and sync meanwhile
    assert divided.old.reign.is_here, "it still believes in itself"
    assert not task.done(), "it answered alone"
    return task


@pytest.mark.parametrize("name", READS)
async def test_a_read_at_its_own_door_waits_and_is_answered_by_the_new_leader(
    divided: Divided, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "HOLD_S", LIMIT_S)
    read = await pending(asked_at(divided, name), divided)
    divided.trio.cut = set()
    assert await read == b"4 messages"


@pytest.mark.parametrize("name", READS)
async def test_a_read_that_a_follower_passed_on_to_it_is_refused_when_it_hears_of_the_new_leader(
    divided: Divided, name: str
) -> None:
    read = await pending(passed_to(divided.old, name)(), divided)
    divided.trio.cut = set()
    with pytest.raises(NotLeaderError):
        await read


async def test_the_new_leader_answers_and_commands_ask_for_no_confirmation(divided: Divided) -> None:
    """A command is not carried out before a quorum has it: its handler waits for that."""
    assert await passed_to(divided.new, "DescribeTopic")() == [NEW]
    assert await passed_to(divided.old, "SendMessage")() == [OLD]
    lost = divided.old.propose(message(divided.old, 9))
    divided.trio.cut = set()
    with pytest.raises(NotLeaderError):
        await lost


async def test_a_topic_that_it_does_not_know_may_be_known_to_the_new_leader(divided: Divided) -> None:
    await divided.new.carry_out(topic(divided.new, "late"))
    space = SpaceGuard(divided.old.disk.folder, reserve_bytes=0, free_bytes=lambda _folder: 1 << 40)
    assert (await Sender(divided.old, space).writable_topic("t", int(MessageKind.NORMAL))).name == "t"
    refused = await pending(Sender(divided.old, space).writable_topic("late", int(MessageKind.NORMAL)), divided)
    divided.trio.cut = set()
    with pytest.raises(NotLeaderError):
        await refused
    assert (await Sender(divided.new, space).writable_topic("late", int(MessageKind.NORMAL))).name == "late"
    with pytest.raises(RefusedError, match="never"):
        await Sender(divided.new, space).writable_topic("never", int(MessageKind.NORMAL))


@pytest.mark.parametrize("what", ["ack", "change", "forward"])
async def test_a_handle_that_it_does_not_know_may_be_good_at_the_new_leader(divided: Divided, what: str) -> None:
    clients = Clients(lambda: 0)
    handle = ReceiptHandle(9, divided.new.log_ms() + 60_000, 0, 1, 1, "g", "t").to_text()

    def told(node: BrokerNode) -> Any:
        deliverer = Deliverer(node, clients)
        if what == "forward":
            return deliverer.forward_to_dead_letters("g", "t", handle)
        return deliverer.ack("g", "t", [("id", handle)]) if what == "ack" else deliverer.change_invisible("g", "t", handle, 1_000)

    refused = await pending(told(divided.old), divided)
    divided.trio.cut = set()
    with pytest.raises(NotLeaderError):
        await refused
    if what == "ack":
        assert [type(found) for found in await told(divided.new)] == [RefusedError], "nobody was handed it"
    elif what == "forward":
        assert await told(divided.new) is None, "it is nobody's, and there is nothing to do"
    else:
        with pytest.raises(RefusedError):
            await told(divided.new)


async def test_a_wiped_node_is_not_told_by_it_how_far_its_log_must_reach(tmp_path: Path) -> None:
    """It would be a voter again without what was committed under the new leader."""
    trio, wiped = Trio(tmp_path), 4
    answers: list[dict[str, Any]] = []

    async def answer(data: bytes, *, is_last: bool) -> None:
        assert is_last
        answers.append(json.loads(data))

    def asks(node: BrokerNode) -> Any:
        assert node.group is not None
        network = cast(PeerNetwork, Network(trio))
        way = WayIn(node, network, node.group.node_id, node.group.voters, lambda: None)
        question = json.dumps({"was_voter": True, "is_learning": False, "learner_at": 0}).encode()
        return way.answer(cast(IncomingCall, SimpleNamespace(name=REJOIN, request=question, peer=wiped, answer=answer)))

    async with asyncio.timeout(LIMIT_S):
        trio.start(1, 2, 3)
        old = await trio.leader()
        old.order(lambda core: core.change_members((1, 2, 3), (wiped,)))
        await old.carry_out(topic(old))
        await send(old, 0, 1)
        await old.until(lambda: is_settled(old))
        await asks(old)
        assert [one["kind"] for one in answers] == ["learner"]
        before = answers.pop()["at"]
        divided = await divide(trio, old)
        told = await pending(asks(old), divided)
        trio.cut = set()
        with pytest.raises(NotLeaderError):
            await told
        assert answers == []
        await asks(divided.new)
        assert [(one["kind"], one["at"] > before) for one in answers] == [("learner", True)]
        await trio.stop()
