"""A route of a topic that is not known here yet: the leader says whether it is there, and this node names the addresses."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from mq.core.errors import Code, NotServingError, RefusedError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc import passing
from mq.rpc.call_codec import Headers
from mq.rpc.handling import Context
from mq.rpc.methods import MESSAGING
from mq.rpc.passing import PassedContext, Passer
from mq.rpc.status import ok, status

NAME = "QueryRoute"
CONTEXT = cast(Context, PassedContext((), None))


def answer_with(names: list[str]) -> bytes:
    queues = [pb.MessageQueue(broker=pb.Broker(name=name)) for name in names]
    return pb.QueryRouteResponse(status=ok(), message_queues=queues).SerializeToString()


class Group:
    """A follower's view of its group. told: what the leader answers. applies_after: waits until the topic is known here."""

    is_leader_here = False
    leader = 2

    def __init__(self, told: bytes, applies_after: int = 1) -> None:
        self.told, self.applies_after = told, applies_after
        self.waits = self.calls = 0

    async def confirm(self) -> None:
        raise AssertionError("this node does not lead")

    async def leader_changes(self, timeout_s: float) -> None:
        raise AssertionError("the leader is known")

    async def state_changes(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.waits += 1

    async def call(self, node: int, name: str, headers: Headers, raw: bytes, timeout_s: float | None) -> bytes:
        self.calls += 1
        return self.told

    def stream(self, *_: Any) -> AsyncGenerator[bytes, None]:
        raise AssertionError("a route is one answer")

    async def route(self, raw: bytes, context: Context) -> bytes:
        """This node's own handler."""
        if self.waits < self.applies_after:
            raise RefusedError(Code.TOPIC_NOT_FOUND, "topic t does not exist")
        return answer_with(["told here"])

    async def ask(self) -> pb.QueryRouteResponse:
        handler = Passer(self).wrap(MESSAGING, {NAME: self.route})[NAME]
        return pb.QueryRouteResponse.FromString(await handler(b"", CONTEXT))


@pytest.mark.parametrize("applies_after", [0, 1, 3])
async def test_a_topic_that_the_leader_knows_is_waited_for_and_answered_from_here(applies_after: int) -> None:
    group = Group(answer_with(["told by the leader"]), applies_after)
    found = await group.ask()
    assert [queue.broker.name for queue in found.message_queues] == ["told here"]
    assert group.waits == applies_after
    assert group.calls == (1 if applies_after else 0)


async def test_a_topic_that_the_leader_does_not_know_either_is_refused_at_once() -> None:
    told = pb.QueryRouteResponse(status=status(Code.TOPIC_NOT_FOUND, "no such topic")).SerializeToString()
    group = Group(told)
    assert int((await group.ask()).status.code) == Code.TOPIC_NOT_FOUND
    assert group.waits == 0


async def test_a_node_that_does_not_hear_of_it_asks_to_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "HOLD_S", 0.05)
    with pytest.raises(NotServingError, match="topic t does not exist; the leader knows it"):
        await Group(answer_with(["told by the leader"]), applies_after=1_000_000_000).ask()
