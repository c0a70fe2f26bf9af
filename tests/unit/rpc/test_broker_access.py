"""What a broker that knows of another group carries out itself, and what it relays."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from mq.core.message import MessageKind, Permission
from mq.proto import rocketmq_v2_pb2 as pb
from mq.registry.route import Route, RouteQueue
from mq.rpc.broker_access import BrokerAccess
from mq.rpc.handling import Context
from mq.rpc.methods import MESSAGING, Cardinality
from mq.rpc.passing import PassedContext
from mq.rpc.relaying import RELAYED

OWN, OTHER = "broker-a", "broker-b"
ADDRESSES: dict[str, tuple[str, ...]] = {OWN: ("10.0.0.1:1",), OTHER: ("10.0.0.2:1",)}
CLIENT = (("x-mq-client-id", "c"),)


class Routes:
    """`both` is a topic of both groups; `mine` and `theirs` are of one each. drained: a group that takes no messages."""

    drained = ""

    def route(self, topic: str) -> Route | None:
        brokers = {"both": [OWN, OTHER], "mine": [OWN], "theirs": [OTHER]}.get(topic, [])
        queues = [
            RouteQueue(
                one, 0, MessageKind.NORMAL, Permission.READ if one == self.drained else Permission.READ_WRITE, ADDRESSES[one]
            )
            for one in brokers
        ]
        return Route(topic, tuple(queues)) if queues else None

    async def known_route(self, topic: str) -> Route | None:
        return self.route(topic)

    def is_fifo(self, consumer_group: str) -> bool:
        return consumer_group == "ordered"

    def brokers(self) -> dict[str, tuple[str, ...]]:
        return ADDRESSES


class Relay:
    """Notes who was asked, and answers that nothing is there."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def call(self, addresses: Sequence[str], name: str, _raw: bytes, _context: Context) -> bytes:
        self.asked.append(next(one for one, found in ADDRESSES.items() if found == tuple(addresses)))
        return MESSAGING[name].response(status=pb.Status(code=pb.OK)).SerializeToString()

    async def stream(self, addresses: Sequence[str], name: str, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        await self.call(addresses, name, raw, context)
        yield pb.ReceiveMessageResponse(status=pb.Status(code=pb.MESSAGE_NOT_FOUND)).SerializeToString()


async def who(name: str, request: Any, *, headers: tuple[tuple[str, str], ...] = CLIENT, drained: str = "") -> list[str]:
    """Which groups carry this call out; `here` for the one that was asked, without a detour."""
    relay, routes = Relay(), Routes()
    routes.drained = drained

    async def unary(_raw: bytes, _context: Context) -> bytes:
        relay.asked.append("here")
        return b""

    async def stream(_raw: bytes, _context: Context) -> AsyncIterator[bytes]:
        relay.asked.append("here")
        yield b""

    is_stream = MESSAGING[name].cardinality is Cardinality.SERVER_STREAM
    access = BrokerAccess(OWN, routes, cast(Any, relay), ("10.0.0.1", 1))
    handler = access.wrap({name: stream if is_stream else unary})[name]
    context = cast(Context, PassedContext(headers, None))
    if is_stream:
        [part async for part in handler(request.SerializeToString(), context)]
    else:
        await handler(request.SerializeToString(), context)
    return relay.asked


def sent(topic: str, message_group: str | None = None) -> pb.SendMessageRequest:
    system = pb.SystemProperties(message_id="m", message_group=message_group)
    return pb.SendMessageRequest(messages=[pb.Message(topic=pb.Resource(name=topic), system_properties=system)])


def poll(topic: str, *, broker: str = OWN, group: str = "g", auto_renew: bool = False) -> pb.ReceiveMessageRequest:
    queue = pb.MessageQueue(topic=pb.Resource(name=topic), broker=pb.Broker(name=broker))
    return pb.ReceiveMessageRequest(group=pb.Resource(name=group), message_queue=queue, auto_renew=auto_renew, batch_size=1)


def acked(*handles: str) -> pb.AckMessageRequest:
    return pb.AckMessageRequest(
        topic=pb.Resource(name="both"), entries=[pb.AckMessageEntry(receipt_handle=one) for one in handles]
    )


def changed(handle: str) -> pb.ChangeInvisibleDurationRequest:
    return pb.ChangeInvisibleDurationRequest(topic=pb.Resource(name="both"), receipt_handle=handle)


@pytest.mark.parametrize(
    ("name", "request_of_it", "expected"),
    [
        ("SendMessage", sent("mine"), ["here"]),
        ("SendMessage", sent("both"), ["here"]),  # the client chose
        ("SendMessage", sent("theirs"), [OTHER]),
        ("SendMessage", sent("nowhere"), ["here"]),  # which says so, or makes it
        ("SendMessage", pb.SendMessageRequest(), ["here"]),
        ("ReceiveMessage", poll("mine"), ["here"]),
        ("ReceiveMessage", poll("theirs"), [OTHER]),
        ("ReceiveMessage", poll("both", auto_renew=True), ["here"]),  # a push consumer polls each group by itself
        ("ReceiveMessage", poll("both", group="ordered", auto_renew=True), ["here"]),
        ("ReceiveMessage", poll("both", group="ordered", auto_renew=True, broker=OTHER), [OTHER]),
        ("AckMessage", acked(f"{OWN}/1", "nonsense", "broker-z/1"), ["here"]),
        ("AckMessage", acked(f"{OTHER}/1"), [OTHER]),
        ("ChangeInvisibleDuration", changed(f"{OWN}/1"), ["here"]),
        ("ChangeInvisibleDuration", changed(f"{OTHER}/1"), [OTHER]),
        ("ChangeInvisibleDuration", changed("1"), ["here"]),
        ("Heartbeat", pb.HeartbeatRequest(), ["here"]),
    ],
)
async def test_calls_go_where_they_can_be_carried_out(name: str, request_of_it: Any, expected: list[str]) -> None:
    assert await who(name, request_of_it) == expected
    assert await who(name, request_of_it, headers=(*CLIENT, (RELAYED, "1"))) == ["here"]


async def test_a_poll_of_a_simple_consumer_asks_both_groups_and_then_waits_at_both() -> None:
    for group in ("g", "ordered"):
        asked = await who("ReceiveMessage", poll("both", group=group))
        assert sorted(asked[:2]) == sorted(asked[2:]) == [OWN, OTHER]


async def test_messages_of_a_message_group_go_to_one_group_and_to_one_that_takes_messages() -> None:
    places = {key: await who("SendMessage", sent("both", key)) for key in "abcdefgh"}
    assert {place for (place,) in places.values()} == {"here", OTHER}
    assert await who("SendMessage", sent("both"), drained=OWN) == [OTHER]
    assert await who("SendMessage", sent("mine"), drained=OWN) == ["here"]  # which refuses it
    assert [await who("SendMessage", sent("both", key), drained=OTHER) for key in "abcdefgh"] == [["here"]] * 8
    assert [await who("SendMessage", sent("both", key), drained=OWN) for key in "abcdefgh"] == [[OTHER]] * 8


async def test_routes_of_a_topic_that_others_have_are_made_of_what_is_known_and_of_others_here() -> None:
    for topic, expected in (("mine", ["here"]), ("nowhere", ["here"]), ("both", []), ("theirs", [])):
        assert await who("QueryRoute", pb.QueryRouteRequest(topic=pb.Resource(name=topic))) == expected
        request = pb.QueryAssignmentRequest(topic=pb.Resource(name=topic), group=pb.Resource(name="g"))
        assert await who("QueryAssignment", request) == expected
