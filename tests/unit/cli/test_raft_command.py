"""`mq raft` and `mq top`: the group as a person sees it."""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mq.cli.group_watch import GroupWatch
from mq.cli.top import picture
from mq.core.errors import Code
from mq.proto import broker_v1_pb2 as b
from tests.unit.cli.conftest import Ran
from tests.unit.cli.fake_broker import OK
from tests.unit.cli.fake_node import FakeNode

Mq = Callable[..., Ran]


@pytest.fixture
def broker() -> Iterator[FakeNode]:
    """Node 1, which leads."""
    node = FakeNode(1)
    node.state.role, node.state.applied_index = "leader", 90
    node.state.peers.add(node_id=2, state="replicate", match_index=90, next_index=91, is_active=True)
    yield node
    node.stop()


@pytest.fixture
def follower(broker: FakeNode) -> Iterator[FakeNode]:
    """Node 2, of which node 1 knows where clients reach it."""
    node = FakeNode(2)
    broker.state.addresses.add(node_id=2, peer_address="127.0.0.1:1", client_address=node.endpoint)
    yield node
    node.stop()


def test_status_finds_the_others_by_what_one_node_says(mq: Mq, broker: FakeNode, follower: FakeNode) -> None:
    ran = mq("raft", "status")
    heading, *rows = (line.split() for line in ran.out.splitlines())
    found = [dict(zip(heading, row, strict=False)) for row in rows]
    assert [(row["NODE"], row["ROLE"], row["TERM"], row["LEADER"]) for row in found] == [
        ("1", "leader", "3", "1"), ("2", "follower", "3", "1"),
    ]  # fmt: skip
    assert [row["LAG"] for row in found] == ["0", "10"]
    assert [rows[0][-1], rows[1][-1]] == [broker.endpoint, follower.endpoint]
    assert "voters 1, 2" in ran.err
    assert ran.code == 0


def test_status_as_json_is_all_that_the_nodes_say_and_who_says_nothing(mq: Mq, broker: FakeNode) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{nobody.getsockname()[1]}"
        broker.state.addresses.add(node_id=2, client_address=gone)
        found = mq("raft", "status", "-o", "json").json
    assert [node["node"] for node in found["nodes"]] == [1]
    assert found["nodes"][0]["peers"][0]["match_index"] == 90
    assert found["nodes"][0]["vote"] is None
    assert found["unreachable"] == [{"node": 2, "client": gone}]


def test_where_nobody_answers_the_exit_code_says_so(mq: Mq, broker: FakeNode) -> None:
    broker.stop()
    ran = mq("raft", "status")
    assert ran.code == 3
    assert f"mq: no node answers at {broker.endpoint}; `mq cluster status --dir DIR` shows which nodes run and where" in ran.err


def test_a_node_without_an_answer_need_not_be_dead_and_that_is_said(mq: Mq, broker: FakeNode, follower: FakeNode) -> None:
    told = "no answer: dead, paused, or it turns clients away because it hears no leader; `mq cluster status` tells"
    assert told not in mq("raft", "status").err
    follower.stop()
    ran = mq("raft", "status")
    assert (ran.code, told in ran.err) == (0, True), ran
    assert ran.out.splitlines()[2].split()[:3] == ["2", "no", "answer"]


def test_who_waits_for_health_waits_for_a_leader(mq: Mq, broker: FakeNode) -> None:
    broker.answers["DescribeBroker"] = lambda _request: b.DescribeBrokerResponse(
        code=OK, name="broker-a", node_id=1, role="asking", replication="raft"
    )
    broker.state.ClearField("leader")
    assert mq("health").code == 0, "a node between two leaders is not ill"
    ran = mq("health", "--wait", "0.3")
    assert (ran.code, "answers, but does not serve" in ran.err) == (1, True), ran

    def describe(_request: Any) -> b.DescribeRaftResponse:
        if len(broker.requests("DescribeRaft")) > before + 2:
            broker.state.leader = 2
        return broker.state

    before = len(broker.requests("DescribeRaft"))
    broker.answers["DescribeRaft"] = describe
    assert mq("health", "--wait", "20").code == 0
    assert broker.state.leader == 2


def test_transfer_says_who_leads_then(mq: Mq, broker: FakeNode) -> None:
    ran = mq("raft", "transfer", "2")
    assert (ran.code, ran.err.strip()) == (0, "node 2 leads")
    assert [request.to for request in broker.requests("TransferLeadership")] == [2]
    assert mq("raft", "transfer", "300").code == 2


def test_what_the_core_refuses_is_said_in_its_own_words(mq: Mq, broker: FakeNode) -> None:
    broker.failures["TransferLeadership"] = [(int(Code.BAD_REQUEST), "node 9 cannot take over: it is not another voter")]
    ran = mq("raft", "transfer", "9")
    assert ran.code == 1
    assert "node 9 cannot take over: it is not another voter" in ran.err


def test_add_makes_a_voter_of_a_node_when_it_has_caught_up_and_not_before(mq: Mq, broker: FakeNode) -> None:
    looks = iter([(0, "probe"), (0, "probe"), (40, "replicate"), (90, "replicate")])
    newcomer = broker.state.peers.add(node_id=3)

    def describe(_request: Any) -> b.DescribeRaftResponse:
        assert broker.requests("ChangeMembers")[1:] == [], "it is no voter before it has caught up"
        newcomer.match_index, newcomer.state = next(looks, (90, "replicate"))
        return broker.state

    broker.answers["DescribeRaft"] = describe
    ran = mq("raft", "add", "3", "--peer", "127.0.0.1:7", "--client", "127.0.0.1:8", "-o", "json")
    assert ran.json == {"voters": [1, 2, 3], "learners": []}, ran
    first, second = broker.requests("ChangeMembers")
    assert (first.add_learner.node_id, first.add_learner.peer_address, first.add_learner.client_address) == (
        3, "127.0.0.1:7", "127.0.0.1:8",
    )  # fmt: skip
    assert second.promote == 3
    assert next(looks, None) is None


def test_add_gives_up_waiting_for_a_node_that_does_not_run(mq: Mq, broker: FakeNode) -> None:
    ran = mq("raft", "add", "3", "--peer", "127.0.0.1:7", "--wait", "0.3")
    assert ran.code == 1
    assert "has not caught up within 0.3 s" in ran.err
    assert len(broker.requests("ChangeMembers")) == 1


def test_a_learner_may_stay_one(mq: Mq, broker: FakeNode) -> None:
    ran = mq("raft", "add", "3", "--peer", "127.0.0.1:7", "--learner", "-o", "json")
    assert ran.json == {"voters": [1, 2], "learners": [3]}
    assert len(broker.requests("ChangeMembers")) == 1


def test_remove_is_one_call_and_is_not_repeated(mq: Mq, broker: FakeNode) -> None:
    assert mq("raft", "remove", "2", "-o", "json").json == {"voters": [1, 2], "learners": []}
    assert [request.remove for request in broker.requests("ChangeMembers")] == [2]


def test_an_add_that_is_interrupted_says_what_is_done_and_how_to_take_it_back(
    mq: Mq, broker: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_group: GroupWatch) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(GroupWatch, "look", interrupt)
    ran = mq("raft", "add", "3", "--peer", "127.0.0.1:7")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "mq: node 3 stays a learner; `add` goes on, and `mq raft remove 3` takes it back"
    assert len(broker.requests("ChangeMembers")) == 1, "nobody became a voter"


@pytest.mark.parametrize("command", [("raft", "status", "-w"), ("top", "-w")])
def test_a_watch_as_json_is_a_line_each_second(
    command: tuple[str, ...], mq: Mq, broker: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []

    def rest(for_s: float) -> None:
        rests.append(for_s)
        if len(rests) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("mq.cli.raft.time", SimpleNamespace(sleep=rest))
    monkeypatch.setattr("mq.cli.top.time", SimpleNamespace(sleep=rest))
    ran = mq(*command, "-o", "json")
    assert (ran.code, rests) == (130, [1.0] * 3)
    assert [json.loads(line)["nodes"][0]["node"] for line in ran.out.splitlines()] == [1] * 3


@pytest.mark.parametrize("command", [("raft", "status"), ("top",)])
def test_a_node_that_takes_longer_than_its_limit_does_not_answer(command: tuple[str, ...], mq: Mq, broker: FakeNode) -> None:
    def describe(_request: Any) -> b.DescribeRaftResponse:
        threading.Event().wait(0.6)
        return broker.state

    broker.answers["DescribeRaft"] = describe
    assert mq(*command).code == 0
    assert mq(*command, "--timeout", "0.3").code == 3
    assert "[default: 2.0;" in mq(*command, "--help").out


def test_top_once_has_rates(mq: Mq, broker: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def describe(_request: Any) -> b.DescribeRaftResponse:
        broker.state.applied_index += 500
        return broker.state

    broker.answers["DescribeRaft"] = describe
    ran = mq("top")
    heading, row, silent = (line.split() for line in ran.out.splitlines())
    per_s = int(row[-2])
    assert silent[:3] == ["2", "no", "answer"]
    assert heading[-3:] == ["PER", "S", "CLIENT"]
    assert 100 <= per_s <= 500, "500 entries in a second, or in somewhat more on a busy machine"


def test_the_rate_is_of_the_time_between_two_looks(broker: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    with GroupWatch(broker.endpoint) as group:
        monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
        assert group.look()[0].per_s is None
        broker.state.applied_index += 50
        now_s[0] += 2.0
        assert group.look()[0].per_s == 25.0


def test_the_live_picture_shows_the_nodes_and_what_the_leader_knows(
    broker: FakeNode, follower: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    broker.state.learners.append(4)
    with GroupWatch(broker.endpoint) as group:
        lines = group.look()
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(picture(lines, has_peers=True))
        shown = console.export_text()
        console.print(picture(lines, has_peers=False))
        without = console.export_text()
    assert "broker-a: voters 1, 2; learners 4" in shown
    assert "replicate" in shown
    assert "replicate" not in without
    assert follower.endpoint in shown
    monkeypatch.setenv("COLUMNS", "80")
    console.print(picture(lines, has_peers=True))
    narrow = console.export_text()
    assert follower.endpoint not in narrow
    assert max(map(len, narrow.splitlines())) <= 80


def test_a_node_on_its_way_into_its_group_is_shown_so(broker: FakeNode, mq: Mq) -> None:
    broker.state.role, broker.state.part = "follower", "rejoining"
    ran = mq("raft", "status")
    assert ran.out.splitlines()[1].split()[1] == "rejoining"
    assert "no leader answers" in ran.err
