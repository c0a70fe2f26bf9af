"""How a passed-on call ends that was lost: nobody is told that nothing was done when that is not known."""

from typing import Any, cast

import pytest

from mq.client.errors import error_of_code
from mq.core.errors import DiskFullError, MqError, NotServingError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.raft.errors import NotLeaderError
from mq.rpc import passing
from mq.rpc.handling import Context, guarded
from mq.rpc.messaging import MessagingHandlers
from mq.rpc.methods import MESSAGING
from mq.rpc.passing import LeaderAwayError, LeaderLostError, PassedContext, Passer
from mq.rpc.status import code_for

ANSWER = pb.AckMessageResponse(status=pb.Status(code=pb.OK, message="as the others have it")).SerializeToString()


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
        ([DiskFullError("no space left")], True),
        ([LeaderLostError("it was killed"), DiskFullError("no space left")], False),
        ([LeaderLostError("it was killed"), NotServingError("the broker is stopping")], False),
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


class Answering(Group):
    """A leader that is lost before it answers, as often as there are `ends`, and then answers so."""

    def __init__(self, answer: bytes, *ends: MqError) -> None:
        super().__init__(*ends)
        self.answer = answer

    @property
    def leader(self) -> int | None:
        return 2

    async def call(self, *_: Any) -> bytes:
        if self.ends:
            raise self.ends.pop(0)
        return self.answer


def twice() -> Answering:
    return Answering(ANSWER, LeaderLostError("it was killed"))


def sent(code: Any) -> bytes:
    return pb.SendMessageResponse(status=pb.Status(code=code, message="as it is")).SerializeToString()


@pytest.mark.parametrize("name", ["SendMessage", "AckMessage", "GetOffset"])
async def test_what_changes_nothing_the_second_time_is_asked_again(name: str) -> None:
    assert await Passer(cast(Any, twice())).unary(name, never)(b"", cast(Context, PassedContext((), None))) == ANSWER


@pytest.mark.parametrize("name", ["ChangeInvisibleDuration", "DeleteTopic"])
async def test_what_would_be_refused_the_second_time_is_not_asked_again(name: str) -> None:
    with pytest.raises(LeaderLostError):
        await Passer(cast(Any, twice())).unary(name, never)(b"", cast(Context, PassedContext((), None)))


@pytest.mark.parametrize("code", [pb.OK, pb.TOPIC_NOT_FOUND])
async def test_what_the_next_leader_answers_is_told(code: Any) -> None:
    call = Passer(cast(Any, Answering(sent(code), LeaderLostError("it was killed")))).unary("SendMessage", never)
    answer = pb.SendMessageResponse.FromString(await call(b"", cast(Context, PassedContext((), None))))
    assert answer.status.code == code


async def test_the_next_leaders_answer_that_nothing_was_done_does_not_speak_of_the_first_one() -> None:
    group = Answering(sent(pb.PROXY_TIMEOUT))
    call = Passer(cast(Any, group)).unary("SendMessage", never)
    answer = pb.SendMessageResponse.FromString(await call(b"", cast(Context, PassedContext((), None))))
    assert answer.status.code == pb.PROXY_TIMEOUT, "nobody else was asked"
    group.ends.append(LeaderLostError("it was killed"))
    with pytest.raises(LeaderLostError) as failed:
        await call(b"", cast(Context, PassedContext((), None)))
    assert not error_of_code(failed.value.code, str(failed.value)).definite


@pytest.mark.parametrize("end", [None, NotServingError("the broker is stopping"), LeaderLostError("it was killed")])
async def test_every_error_of_a_change_brings_the_callers_handle_back(
    end: MqError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients take the answer's handle before they look at its status: with an empty one they could never acknowledge."""
    monkeypatch.setattr(passing, "HOLD_S", 0.05)
    name = "ChangeInvisibleDuration"
    passed = Passer(cast(Any, Group(*([end] if end else [])))).wrap(MESSAGING, {name: never})
    call = guarded(name, passed[name], MessagingHandlers.refuse)
    request = pb.ChangeInvisibleDurationRequest(receipt_handle="mine", group=pb.Resource(name="g"))
    answer = pb.ChangeInvisibleDurationResponse.FromString(
        await call(request.SerializeToString(), cast(Context, PassedContext((), None)))
    )
    assert (answer.receipt_handle, int(answer.status.code)) == ("mine", code_for(end or NotServingError("no leader")))
    garbage = await call(b"\xff", cast(Context, PassedContext((), None)))
    assert pb.ChangeInvisibleDurationResponse.FromString(garbage).receipt_handle == ""
