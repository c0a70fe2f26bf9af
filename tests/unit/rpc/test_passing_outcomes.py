"""How a passed-on call ends that was lost: nobody is told that nothing was done when that is not known."""

from typing import Any, cast

import pytest

from mq.client.errors import error_of_code
from mq.core.errors import MqError
from mq.raft.errors import NotLeaderError
from mq.rpc import passing
from mq.rpc.handling import Context
from mq.rpc.passing import LeaderAwayError, LeaderLostError, PassedContext, Passer


class Group:
    """A follower's view of a group whose leader ends each attempt of a call with the next of `ends`, and then is not known."""

    is_leader_here = False

    def __init__(self, *ends: MqError) -> None:
        self.ends = list(ends)

    @property
    def leader(self) -> int | None:
        return 2 if self.ends else None

    async def leader_changes(self, timeout_s: float) -> None:
        return

    async def call(self, *_: Any) -> bytes:
        raise self.ends.pop(0)


async def never(raw: bytes, context: Context) -> bytes:
    raise AssertionError("only a leader serves it")


@pytest.mark.parametrize(
    ("ends", "is_definite"),
    [
        ([], True),
        ([NotLeaderError(None)], True),
        ([LeaderAwayError("no connection")], True),
        ([LeaderLostError("it was killed")], False),
        ([LeaderLostError("it was killed"), NotLeaderError(3)], False),
    ],
)
async def test_what_the_client_is_told_promises_no_more_than_is_known(
    ends: list[MqError], is_definite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "HOLD_S", 0.05)
    call = Passer(cast(Any, Group(*ends))).unary("AckMessage", never)
    with pytest.raises(MqError) as failed:
        await call(b"", cast(Context, PassedContext((), None)))
    told = error_of_code(failed.value.code, str(failed.value))
    assert told.definite == is_definite, told


class Twice(Group):
    """A leader that is lost before it answers, and answers when it is asked again."""

    def __init__(self) -> None:
        super().__init__(LeaderLostError("it was killed"))

    @property
    def leader(self) -> int | None:
        return 2

    async def call(self, *_: Any) -> bytes:
        if self.ends:
            raise self.ends.pop(0)
        return b"answer"


@pytest.mark.parametrize("name", ["SendMessage", "AckMessage", "GetOffset"])
async def test_what_changes_nothing_the_second_time_is_asked_again(name: str) -> None:
    assert await Passer(cast(Any, Twice())).unary(name, never)(b"", cast(Context, PassedContext((), None))) == b"answer"


@pytest.mark.parametrize("name", ["ChangeInvisibleDuration", "DeleteTopic"])
async def test_what_would_be_refused_the_second_time_is_not_asked_again(name: str) -> None:
    with pytest.raises(LeaderLostError):
        await Passer(cast(Any, Twice())).unary(name, never)(b"", cast(Context, PassedContext((), None)))
