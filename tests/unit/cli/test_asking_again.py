"""A failure that a node tells in its answer is repeated by the same rule as a connection that broke."""

from collections.abc import Callable

import pytest

from mq.core.errors import OutcomeUnknownError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.unit.cli.conftest import Ran
from tests.unit.cli.fake_broker import FakeBroker

Mq = Callable[..., Ran]
FAILURE = "the connection with the leader broke"


@pytest.mark.parametrize("code", [50400, 50401])
@pytest.mark.parametrize(
    ("name", "command"), [("CreateGroup", ("group", "create", "bakery")), ("SendMessage", ("send", "orders", "bread"))]
)
def test_a_node_that_stops_or_lost_its_leader_is_asked_again(
    mq: Mq, broker: FakeBroker, name: str, command: tuple[str, ...], code: int
) -> None:
    broker.failures[name] = [(code, FAILURE)] * 2
    assert mq(*command).code == 0
    assert len(broker.requests(name)) == 3
    broker.failures[name] = [(code, FAILURE)] * 3
    ran = mq(*command)
    assert ran.code != 0
    assert FAILURE in ran.err
    assert len(broker.requests(name)) == 6


def test_what_may_not_be_done_twice_is_asked_again_only_when_it_was_not_done(broker: FakeBroker) -> None:
    with Connection(broker.endpoint) as connection:
        admin = AdminClient(connection)
        broker.failures["ChangeMembers"] = [(50400, FAILURE)]
        assert admin.remove_member(3).voters == (1, 2)
        broker.failures["ChangeMembers"] = [(50401, FAILURE)]
        with pytest.raises(OutcomeUnknownError, match=FAILURE):
            admin.remove_member(3)
    assert len(broker.requests("ChangeMembers")) == 3


def test_a_node_that_held_a_call_is_not_asked_again(mq: Mq, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mq.rpc.calling._HELD_S", 0.0)
    broker.failures["ListTopics"] = [(50400, "no leader for 2 s")]
    ran = mq("topic", "list")
    assert ran.code != 0
    assert "no leader for 2 s" in ran.err
    assert len(broker.requests("ListTopics")) == 1
