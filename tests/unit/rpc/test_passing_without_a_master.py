"""A slave that has lost its master: it answers who only reads, says that this may be old, and refuses all else and why."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from mq.core.errors import Code, NotServingError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc import passing
from mq.rpc.handling import Context
from mq.rpc.methods import BROKER, MESSAGING, OLD_HEADER
from mq.rpc.passing import PassedContext, Passer


class Alone:
    """A slave without its master."""

    is_leader_here = False
    leader = None

    async def leader_changes(self, timeout_s: float) -> None:
        assert 0 < timeout_s <= passing.HOLD_S


class Told:
    """What it has to say."""

    def __init__(self, old_state: str) -> None:
        self.old_state, self.why_nobody = old_state, "no master; mq broker promote helps"


class Called(PassedContext):
    """Of a call that a client made: notes what is said beside the answer."""

    def __init__(self) -> None:
        super().__init__((), None)
        self.beside: list[Any] = []

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.beside += metadata


async def here(_raw: bytes, _context: Context) -> bytes:
    return b"here"


async def stream_here(_raw: bytes, _context: Context) -> AsyncGenerator[bytes, None]:
    yield b"here"


def passer(old_state: str = "it may be old") -> Passer:
    return Passer(cast(Any, Alone()), Told(old_state))


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "HOLD_S", 0.05)


@pytest.mark.parametrize("name", ["ListTopics", "PeekMessages", "QueryOffset", "GetOffset"])
async def test_reads_are_answered_here_and_the_answer_says_that_it_may_be_old(name: str) -> None:
    call = Called()
    answer = await passer().wrap({**MESSAGING, **BROKER}, {name: here})[name](b"", cast(Context, call))
    assert (answer, call.beside) == (b"here", [(OLD_HEADER, "it may be old")])


async def test_pulling_is_a_read_too() -> None:
    call = Called()
    handler = passer().wrap(MESSAGING, {"PullMessage": stream_here})["PullMessage"]
    assert [part async for part in handler(b"", cast(Context, call))] == [b"here"]
    assert call.beside == [(OLD_HEADER, "it may be old")]


@pytest.mark.parametrize("name", ["SendMessage", "AckMessage", "CreateTopic"])
async def test_what_changes_something_is_refused_for_certain_with_what_helps(name: str) -> None:
    with pytest.raises(NotServingError, match="no master; mq broker promote helps") as refused:
        await passer().wrap({**MESSAGING, **BROKER}, {name: here})[name](b"", cast(Context, Called()))
    assert refused.value.definite


async def test_receiving_is_refused_with_what_helps_and_not_as_if_nothing_had_come() -> None:
    handler = passer().wrap(MESSAGING, {"ReceiveMessage": stream_here})["ReceiveMessage"]
    parts = [pb.ReceiveMessageResponse.FromString(part) async for part in handler(b"", cast(Context, Called()))]
    assert [part.WhichOneof("content") for part in parts] == ["status", "delivery_timestamp"]
    assert int(parts[0].status.code) == Code.PROXY_TIMEOUT
    assert parts[0].status.message == "no master; mq broker promote helps"


async def test_no_old_state_is_shown_where_there_is_a_master_that_only_cannot_be_reached() -> None:
    with pytest.raises(NotServingError):
        await passer("").wrap({**MESSAGING, **BROKER}, {"ListTopics": here})["ListTopics"](b"", cast(Context, Called()))
