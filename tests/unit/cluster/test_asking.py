"""Who leads, from what the nodes say of themselves."""

import socket
from collections.abc import Callable

import pytest

from mq.client.raft_views import MembersView
from mq.cluster.asking import Answer, ask_all, ask_broker, foreign_leaders, leader_of, no_members, resolve
from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.errors import ClusterError


def node(group: str, number: int, state: str = "running") -> NodeInfo:
    return NodeInfo(f"{group}-{number}", group, number, f"127.0.0.1:{number}", "", "", state)


GROUP = tuple(node("broker-a", number) for number in (1, 2, 3))


def answering(answers: dict[int, Answer | None]) -> Callable[[str], Answer | None]:
    return lambda client: answers.get(int(client.rpartition(":")[2]))


@pytest.mark.parametrize(
    ("answers", "leader"),
    [
        ({1: Answer(1, "follower", 5), 2: Answer(2, "leader", 5), 3: Answer(3, "follower", 5)}, "broker-a-2"),
        ({1: Answer(3, "leader", 5), 2: Answer(3, "leader", 5)}, "broker-a-3"),  # the question is passed on to who leads
        ({1: Answer(1, "leader", 5), 3: Answer(3, "leader", 9)}, "broker-a-3"),  # one of them does not know yet
        ({1: Answer(1, "leader", 9), 3: Answer(3, "leader", 5)}, "broker-a-1"),
        ({1: Answer(1, "follower", 5), 2: Answer(2, "candidate", 5)}, None),
        ({}, None),
    ],
)
def test_the_leader_is_who_says_so(answers: dict[int, Answer | None], leader: str | None) -> None:
    ask = answering(answers)
    assert leader_of(GROUP, ask_all(GROUP, ask)).get("broker-a") == leader
    status = ClusterStatus(GROUP, "direct")
    if leader is None:
        with pytest.raises(ClusterError, match="broker-a has no leader now"):
            resolve("leader", status, ask)
    else:
        assert resolve("leader", status, ask) == leader
        assert resolve("leader:broker-a", status, ask) == leader


@pytest.mark.parametrize("told", [Answer(8, "leader", 5), Answer(1, "follower", 5, None, 8)])
def test_a_leader_that_joined_from_outside_is_told_as_what_it_is_and_its_group_has_one(told: Answer) -> None:
    ask = answering({1: told, 2: Answer(2, "follower", 5), 3: Answer(3, "follower", 5)})
    answers = ask_all(GROUP, ask)
    assert (leader_of(GROUP, answers), foreign_leaders(GROUP, answers)) == ({}, {"broker-a": 8})
    with pytest.raises(ClusterError, match="the leader, node 8, is none of this cluster's own processes"):
        resolve("leader", ClusterStatus(GROUP, "direct"), ask)
    own = ask_all(GROUP, answering({1: Answer(1, "follower", 5, None, 2), 2: Answer(2, "leader", 5)}))
    assert foreign_leaders(GROUP, own) == foreign_leaders(GROUP, {}) == {}


def test_a_number_is_a_node_where_there_is_one_group() -> None:
    assert resolve("2", ClusterStatus(GROUP, "direct"), answering({})) == "broker-a-2"
    two = ClusterStatus((node("broker-a", 1), node("broker-b", 1)), "direct")
    for text, status in (("4", ClusterStatus(GROUP, "direct")), ("1", two)):
        with pytest.raises(ClusterError, match=f"there is no node '{text}'; there are broker-a-1, "):
            resolve(text, status, answering({}))


def test_nodes_that_do_not_run_are_not_asked() -> None:
    asked: list[str] = []

    def ask(client: str) -> Answer | None:
        asked.append(client)
        return Answer(3, "leader", 1)

    nodes = [node("broker-a", 1, "stopped"), node("broker-a", 2, "paused"), node("broker-a", 3)]
    answers = ask_all(nodes, ask)
    assert asked == ["127.0.0.1:3"]
    assert answers == {"broker-a-1": None, "broker-a-2": None, "broker-a-3": Answer(3, "leader", 1)}
    assert ask_all(nodes[:1], ask) == {"broker-a-1": None}


def test_each_group_has_its_own_leader() -> None:
    nodes = [node("broker-a", 1), node("broker-b", 2)]
    ask = answering({1: Answer(1, "leader", 3), 2: Answer(2, "leader", 1)})
    assert leader_of(nodes, ask_all(nodes, ask)) == {"broker-a": "broker-a-1", "broker-b": "broker-b-2"}
    status = ClusterStatus(tuple(nodes), "direct")
    assert resolve("leader:broker-b", status, ask) == "broker-b-2"
    with pytest.raises(ClusterError, match="leader of which group\\? There are leader:broker-a, leader:broker-b"):
        resolve("leader", status, ask)


def test_a_name_is_itself_and_others_are_refused_with_what_there_is() -> None:
    status = ClusterStatus(GROUP, "direct")
    assert resolve("broker-a-2", status, answering({})) == "broker-a-2"
    for text in ("broker-a-4", "leader:broker-b", "", "LEADER"):
        with pytest.raises(ClusterError, match=r"there is no node .*; there are broker-a-1, .*, and leader:broker-a"):
            resolve(text, status, answering({}))


TWO, THREE = MembersView((1, 2), ()), MembersView((1, 2, 3), ())


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({1: Answer(1, "leader", 5, TWO), 2: Answer(2, "follower", 5, TWO)}, {"broker-a-3"}),
        ({1: Answer(1, "leader", 5, TWO), 2: Answer(2, "follower", 5, TWO), 3: Answer(3, "candidate", 5, THREE)}, {"broker-a-3"}),
        ({1: Answer(1, "leader", 5, MembersView((1, 2), (3,))), 2: Answer(2, "follower", 5, MembersView((1, 2), (3,)))}, set()),
        ({1: Answer(1, "leader", 5, MembersView((1,), ())), 2: None}, {"broker-a-2", "broker-a-3"}),
        ({1: Answer(1, "leader", 5, THREE), 2: Answer(2, "follower", 5, THREE)}, set()),
        ({1: Answer(1, "leader", 5, TWO), 2: None}, set()),  # half of the voters is no majority
        ({1: Answer(1, "leader", 5, TWO), 2: Answer(2, "follower", 5, THREE)}, set()),  # it may come to nothing
        ({1: Answer(1, "leader", 5, None), 2: Answer(2, "follower", 5, TWO)}, set()),  # members are being changed
        ({1: Answer(1, "follower", 5, TWO), 2: Answer(2, "follower", 5, TWO)}, set()),  # nobody leads
        ({1: None, 2: Answer(1, "leader", 5, TWO)}, set()),  # who leads does not answer
        ({}, set()),
    ],
)
def test_a_node_is_no_member_when_the_leader_and_a_majority_say_so(answers: dict[int, Answer | None], found: set[str]) -> None:
    assert no_members(GROUP, ask_all(GROUP, answering(answers))) == found


def test_a_port_where_nobody_or_a_stranger_listens_gives_no_answer() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        client = f"127.0.0.1:{probe.getsockname()[1]}"
        assert ask_broker(client) is None, "nobody"
        probe.listen()
        assert ask_broker(client) is None, "nobody that says anything"
