"""Who asks for an election when a leader's connections broke, on a clock of our own."""

import heapq
from collections.abc import Callable, Iterable

from mq.raft.role import Role
from mq.server.hunting import Hunt


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Appointment]] = []
        self._count = 0

    def schedule(self, after_s: float, call: Callable[[], None]) -> "Appointment":
        self._count += 1
        made = Appointment(call)
        heapq.heappush(self._due, (self.now_s + after_s, self._count, made))
        return made

    def run(self, until_ms: int) -> None:
        while self._due and self._due[0][0] <= until_ms / 1000:
            self.now_s, _, made = heapq.heappop(self._due)
            if not made.is_cancelled:
                made.call()
        self.now_s = until_ms / 1000


class Appointment:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call, self.is_cancelled = call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Node:
    """A member as its hunt sees it; notes when it asked for an election."""

    def __init__(self, clock: Clock, node_id: int, voters: Iterable[int] = (1, 2, 3)) -> None:
        self._clock, self._voters = clock, tuple(voters)
        self.asked_ms: list[int] = []
        self.known_leader: int | None = None
        self.reachable: set[int] = set()
        self.term, self.role = 1, Role.FOLLOWER
        self.hunt = Hunt(node_id, self, clock.schedule, lambda: clock.now_s)

    def voters(self) -> tuple[int, ...]:
        return self._voters

    def leader(self) -> int | None:
        return self.known_leader

    def is_reachable(self, node: int) -> bool:
        return node in self.reachable

    def standing(self) -> tuple[int, Role]:
        return self.term, self.role

    def campaign(self) -> None:
        self.asked_ms.append(round(self._clock.now_s * 1000))


def test_the_voter_behind_the_lost_leader_asks_first_and_the_others_after_it_one_by_one() -> None:
    clock = Clock()
    nodes = {number: Node(clock, number, range(1, 6)) for number in (1, 2, 4, 5)}
    for node in nodes.values():
        node.hunt.lost(3)
    clock.run(130)
    assert {number: node.asked_ms for number, node in nodes.items()} == {4: [25, 125], 5: [50], 1: [75], 2: [100]}


def test_where_none_ever_led_there_is_time_for_the_first_sync_of_a_new_disk_between_two_who_ask() -> None:
    clock = Clock()
    nodes = [Node(clock, number) for number in (1, 2, 3)]
    for node in nodes:
        node.hunt.lost(None)
    clock.run(300)
    assert [node.asked_ms for node in nodes] == [[25], [125], [225]]


def test_nobody_asks_when_another_leader_is_known() -> None:
    clock = Clock()
    told, found = Node(clock, 1), Node(clock, 2)
    for node in (told, found):
        node.hunt.lost(3)
    told.hunt.leads(2)
    found.known_leader = 2
    clock.run(2000)
    assert (told.asked_ms, found.asked_ms) == ([], [])
    assert not told.hunt.is_on
    assert not found.hunt.is_on


def test_that_the_lost_leader_is_still_thought_to_lead_does_not_end_it() -> None:
    clock = Clock()
    node = Node(clock, 1)
    node.known_leader = 3
    node.hunt.lost(3)
    node.hunt.leads(3)
    clock.run(30)
    assert node.asked_ms == [25]


def test_it_is_over_when_the_lost_leader_is_reached_again() -> None:
    clock = Clock()
    node = Node(clock, 1)
    node.hunt.lost(3)
    node.reachable.add(3)
    clock.run(2000)
    assert node.asked_ms == []


def test_whoever_campaigns_is_not_disturbed_be_it_another_node_or_this_one() -> None:
    clock = Clock()
    itself, other = Node(clock, 1), Node(clock, 2)
    for node in (itself, other):
        node.hunt.lost(3)
    itself.role = Role.CANDIDATE
    other.term = 2  # somebody's vote request brought it
    clock.run(60)
    assert (itself.asked_ms, other.asked_ms) == ([], [])
    itself.role = Role.FOLLOWER
    clock.run(120)
    # Nothing came of either: both ask again, still apart.
    assert (itself.asked_ms, other.asked_ms) == ([75], [100])


def test_it_is_asked_ever_more_rarely_and_no_more_after_a_second() -> None:
    clock = Clock()
    node = Node(clock, 1)
    node.hunt.lost(3)
    clock.run(10_000)
    assert node.asked_ms == [25, 75, 175, 375, 775]
    assert not node.hunt.is_on


def test_a_second_broken_connection_to_the_same_leader_changes_nothing() -> None:
    clock = Clock()
    node = Node(clock, 1)
    node.hunt.lost(3)
    clock.run(20)
    node.hunt.lost(3)
    clock.run(60)
    assert node.asked_ms == [25]


def test_who_has_no_vote_does_not_ask() -> None:
    clock = Clock()
    learner = Node(clock, 4)
    learner.hunt.lost(3)
    clock.run(2000)
    assert learner.asked_ms == []


def test_a_hunt_that_was_stopped_is_over() -> None:
    clock = Clock()
    node = Node(clock, 1)
    node.hunt.lost(3)
    node.hunt.stop()
    clock.run(2000)
    assert node.asked_ms == []
