"""What a push consumer holds: within limits, each message once, and the messages of a lane one after the other."""

import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from mq.client.inbox import Held, Inbox


def keys(inbox: Inbox[str]) -> list[object]:
    """All that may be handled now."""
    found = []
    while (held := inbox.take()) is not None:
        found.append(held.key)
    return found


def test_messages_without_a_lane_are_handled_side_by_side_and_those_of_a_lane_are_not() -> None:
    inbox: Inbox[str] = Inbox()
    for key, lane in ((1, "anna"), (2, ""), (3, "anna"), (4, "bert"), (5, "")):
        assert inbox.put(key, "first", 10, lane)
    one, two, four, five = (inbox.take() for _ in range(4))
    assert [held.key for held in (one, two, four, five) if held is not None] == [1, 2, 4, 5]
    assert inbox.take() is None
    assert one is not None
    inbox.again(one)  # its lane still waits
    assert keys(inbox) == [1]
    assert one.attempts == 1
    inbox.done(one)
    assert keys(inbox) == [3]


def test_it_is_full_by_number_or_by_size() -> None:
    by_count: Inbox[str] = Inbox(count_max=2)
    by_count.put(1, "a", 1)
    assert not by_count.is_full
    by_count.put(2, "a", 1)
    assert by_count.is_full
    by_size: Inbox[str] = Inbox(bytes_max=100)
    by_size.put(1, "a", 100)
    assert by_size.is_full
    held = by_size.take()
    assert held is not None
    assert by_size.is_full, "it is being handled, and still here"
    by_size.done(held)
    by_size.done(held)  # said twice
    assert not by_size.is_full
    assert len(by_size) == 0


def test_a_message_that_comes_again_while_it_is_here_is_known_by_its_newest_delivery() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put(1, "old handle", 10)
    held = inbox.take()
    assert not inbox.put(1, "new handle", 10)
    assert inbox.take() is None
    assert held is not None
    assert held.item == "new handle"
    inbox.done(held)
    assert inbox.put(1, "a delivery after that", 10)


def test_what_nobody_handles_can_be_forgotten_and_its_lanes_with_it() -> None:
    inbox: Inbox[str] = Inbox()
    for key, lane in ((1, "anna"), (2, "anna"), (3, "bert"), (4, "bert"), (5, "")):
        inbox.put(key, "", 10, lane)
    held = inbox.take()
    assert inbox.drop_waiting() == 4
    assert len(inbox) == 1
    assert inbox.take() is None
    assert held is not None
    inbox.done(held)
    assert len(inbox) == 0
    for key in (2, 3):
        assert inbox.put(key, "", 10, "anna")
    assert keys(inbox) == [2]


@given(st.integers(0, 1_000_000))
def test_each_message_is_handled_once_and_each_lane_in_its_order(seed: int) -> None:
    rng, inbox = random.Random(seed), Inbox[int]()
    handled: dict[str, list[int]] = defaultdict(list)
    handling: list[Held[int]] = []
    lanes: dict[int, str] = {}
    for number in range(rng.randint(1, 40)):
        lanes[number] = rng.choice(["", "anna", "bert"])
        inbox.put(number, number, rng.randint(0, 9), lanes[number])
        if rng.random() < 0.3:
            inbox.put(rng.randint(0, number), -1, 5, "other")  # a repeat, if it is still here; else a late delivery of an old one
        for _ in range(rng.randint(0, 3)):
            if (held := inbox.take()) is not None:
                assert not held.lane or held.lane not in [one.lane for one in handling]
                handling.append(held)
        rng.shuffle(handling)
        if handling and rng.random() < 0.6:
            one = handling.pop()
            if rng.random() < 0.2:
                inbox.again(one)
            else:
                handled[one.lane].append(int(str(one.key)))
                inbox.done(one)
    while (last := handling.pop() if handling else inbox.take()) is not None:
        handled[last.lane].append(int(str(last.key)))
        inbox.done(last)
    assert len(inbox) == 0
    assert not inbox.is_full
    for lane in ("anna", "bert"):
        assert handled[lane] == [number for number, named in lanes.items() if named == lane]
