"""What is waited for until a cluster, or one node of it, serves."""

from mq.client.raft_views import MembersView
from mq.cluster.asking import Answer
from mq.cluster.waiting import Waiting, missing_of
from tests.unit.cluster.test_asking import GROUP, node

TWO, THREE = MembersView((1, 2), ()), MembersView((1, 2, 3), ())
NAME = "broker-a-3"


class Group:
    """Answers as nodes would; time is a number."""

    def __init__(self, members: MembersView, *answering: int) -> None:
        self.now_s = 100.0
        self.asked: list[int] = []
        self.answers = {number: Answer(number, "leader" if number == 1 else "follower", 5, members) for number in answering}
        self.waiting = Waiting(self.ask, clock=lambda: self.now_s)

    def ask(self, client: str) -> Answer | None:
        number = int(client.rpartition(":")[2])
        self.asked.append(number)
        return self.answers.get(number)

    def missing(self, after_s: float = 0.0) -> list[str]:
        self.now_s += after_s
        return self.waiting.missing(GROUP)

    def serves(self, after_s: float = 0.0) -> bool | None:
        self.now_s += after_s
        return self.waiting.serves(NAME, GROUP)


def test_a_cluster_is_up_when_all_answer_one_leads_and_nobody_could_be_taken_for_new() -> None:
    whole = {"broker-a-1": Answer(1, "leader", 2), "broker-a-2": Answer(2, "follower", 2), NAME: Answer(3, "learning", 0)}
    assert missing_of(GROUP, whole) == []
    assert missing_of(GROUP, whole | {NAME: Answer(3, "asking", 0)}) == ["broker-a-3 holds nothing yet"]
    assert missing_of(GROUP, whole | {"broker-a-1": None}) == ["broker-a-1 does not answer", "broker-a has no leader"]


def test_a_member_that_does_not_answer_is_waited_for_however_long_it_takes() -> None:
    group = Group(THREE, 1, 2)
    assert group.missing() == group.missing(after_s=59) == ["broker-a-3 does not answer"]
    assert group.serves() is False
    assert group.serves(after_s=59) is False


def test_one_that_its_group_has_let_go_is_not_waited_for_when_that_has_been_so_for_a_while() -> None:
    group = Group(TWO, 1, 2)
    assert group.missing() == group.missing(after_s=2.9) == ["broker-a-3 does not answer"]
    assert group.missing(after_s=0.2) == []
    group.answers[1] = Answer(1, "leader", 6, MembersView((1, 2), (3,)))
    group.answers[2] = Answer(2, "follower", 6, MembersView((1, 2), (3,)))
    assert group.missing() == ["broker-a-3 does not answer"], "it was taken in again"


def test_one_that_is_let_go_and_taken_in_again_was_never_gone() -> None:
    group = Group(TWO, 1, 2)
    for members in (TWO, THREE) * 10:
        group.answers |= {1: Answer(1, "leader", 6, members), 2: Answer(2, "follower", 6, members)}
        assert group.missing(after_s=1) == ["broker-a-3 does not answer"]


def test_one_that_was_let_go_and_still_answers_does_not_count_as_one_that_serves() -> None:
    group = Group(TWO, 1, 2)
    group.answers[3] = Answer(3, "follower", 5, THREE)
    assert group.missing() == ["broker-a-3 may be no member any more"]
    assert group.serves() is False
    assert group.missing(after_s=3) == []
    assert group.serves() is None


def test_one_that_says_that_it_is_on_its_way_back_is_not_held_up() -> None:
    group = Group(TWO, 1, 2)
    group.answers[3] = Answer(3, "rejoining", 0, None)
    assert group.missing() == []
    assert group.serves() is True


def test_a_node_serves_when_it_answers_and_its_group_has_a_leader() -> None:
    assert Group(THREE, 1, 2, 3).serves() is True
    assert Group(THREE, 2, 3).serves() is False
    group = Group(THREE, 3)
    alone = [node("broker-a", 1, "stopped"), node("broker-a", 2, "paused"), node("broker-a", 3)]
    assert group.waiting.serves(NAME, alone) is None, "others must be started"
    group = Group(MembersView((1, 3), ()), 3)
    one_of_two = [node("broker-a", 1, "stopped"), node("broker-a", 2), node("broker-a", 3)]
    assert group.waiting.serves(NAME, one_of_two) is None, "who has no vote does not count"


def test_a_group_that_a_node_from_outside_leads_has_a_leader() -> None:
    group = Group(THREE, 2, 3)
    group.answers |= {1: Answer(8, "leader", 5), 2: Answer(8, "leader", 5), 3: Answer(3, "follower", 5)}
    assert group.missing() == []
    assert group.serves() is True


def test_the_others_are_asked_now_and_then_while_a_node_does_not_answer() -> None:
    group = Group(THREE, 1, 2)
    for _ in range(100):
        group.serves(after_s=0.01)
    assert group.asked.count(1) == group.asked.count(2) <= 2
