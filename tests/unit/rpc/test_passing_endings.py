"""How a long poll ends whose leader is lost: clearly, so that no client takes it for an error or drops what arrived."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from mq.core.errors import Code, MqError, NotServingError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc import passing
from mq.rpc.call_codec import Headers
from mq.rpc.handling import Context
from mq.rpc.methods import MESSAGING
from mq.rpc.passing import LeaderLostError, PassedContext, Passer

MESSAGE = pb.ReceiveMessageResponse(message=pb.Message(body=b"bread")).SerializeToString()


class Group:
    """A follower's view of a group. leader: who is lost in the middle of each stream, behind `parts`; None when there is none."""

    is_leader_here = False

    def __init__(self, leader: int | None, parts: list[bytes], end: MqError | None = None) -> None:
        self.leader, self.parts, self.streams = leader, parts, 0
        self.end = end or LeaderLostError("it was killed")

    async def leader_changes(self, timeout_s: float) -> None:
        assert 0 < timeout_s <= passing.HOLD_S

    async def confirm(self) -> None:
        raise AssertionError("this node does not lead")

    async def state_changes(self, timeout_s: float) -> None:
        raise AssertionError("a poll waits for a leader alone")

    async def call(self, node: int, name: str, headers: Headers, raw: bytes, timeout_s: float | None) -> bytes:
        raise AssertionError("a poll is a stream")

    async def stream(self, *_: Any) -> AsyncGenerator[bytes, None]:
        self.streams += 1
        for part in self.parts:
            yield part
        raise self.end


async def never(raw: bytes, context: Context) -> AsyncGenerator[bytes, None]:
    raise AssertionError("only a leader serves it")
    yield b""


async def answers(group: Group, name: str = "ReceiveMessage") -> list[Any]:
    handler = Passer(group).wrap(MESSAGING, {name: never})[name]
    parts = [part async for part in handler(b"", cast(Context, PassedContext((), None)))]
    return [MESSAGING[name].response.FromString(part) for part in parts]


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "HOLD_S", 0.05)


@pytest.mark.parametrize("leader", [None, 2])
async def test_a_poll_that_finds_no_leader_ends_as_if_nothing_new_had_come(leader: int | None) -> None:
    group = Group(leader, [])
    status, last = await answers(group)
    assert (status.status.code, last.WhichOneof("content")) == (Code.MESSAGE_NOT_FOUND, "delivery_timestamp")
    assert (group.streams > 1) == (leader is not None), "it is tried again while there is time"


async def test_messages_that_arrived_before_the_leader_was_lost_are_followed_by_the_timestamp_that_lets_them_count() -> None:
    group = Group(2, [MESSAGE])
    message, last = await answers(group)
    assert (message.message.body, last.WhichOneof("content")) == (b"bread", "delivery_timestamp")
    assert group.streams == 1, "what was handed out is not asked for twice"


async def test_a_poll_whose_leader_gives_no_answer_in_time_ends_clearly_and_is_not_asked_for_again() -> None:
    group = Group(2, [], NotServingError("no answer within 3 s"))
    status, last = await answers(group)
    assert (status.status.code, last.WhichOneof("content")) == (Code.MESSAGE_NOT_FOUND, "delivery_timestamp")
    assert group.streams == 1


async def test_a_pull_without_a_leader_says_that_it_may_be_tried_again() -> None:
    (status,) = await answers(Group(None, []), "PullMessage")
    assert status.status.code == Code.PROXY_TIMEOUT
