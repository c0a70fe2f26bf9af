"""Log time over a change of leaders. Case 64 of the protocol's list: messages in flight reappear exactly in time.

Log time is what a leader's own clock counts. The nodes start apart here, so that clocks that each count from their own start
would differ by seconds.
"""

import time

import psutil
import pytest

from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.interop.driving import Official
from tests.interop.place import Place

pytestmark = pytest.mark.timeout(300)

APART_S = 8.0
INVISIBLE_S = 10
LATE_S_MAX = 3.0
BODIES = [f"loaf {number}" for number in range(20)]


def start_apart(group: Group, first: str) -> None:
    """All nodes die; one is there alone for a while, before the others come."""
    for name in group.names:
        group.cluster.kill(name)
    group.cluster.start(first, is_awaited=False)
    (pid,) = [node.pid for node in group.cluster.status().nodes if node.name == first]
    process = psutil.Process(pid)
    wait_until(lambda: time.time() - process.create_time() > APART_S, f"{first} has run for {APART_S:g} s")
    group.mend()


def fill(official: Official, place: Place) -> dict[str, float]:
    """Messages that are all received and not acknowledged; when each was asked for, which is before it was hidden."""
    official.producer("anna", topic=place.topic)
    official.send_all_at_once("anna", topic=place.topic, bodies=BODIES)
    official.simple("eve", topic=place.topic, group=place.group)
    asked_s: dict[str, float] = {}
    while len(asked_s) < len(BODIES):
        now_s = time.monotonic()
        found = official.receive("eve", invisible_s=INVISIBLE_S)["messages"]
        asked_s.update((message["body"], now_s) for message in found)
    return asked_s


def check_back(official: Official, asked_s: dict[str, float], ended_s: float) -> None:
    """No message comes before its own time, all of them soon afterwards. ended_s: when the last was received."""
    back: list[str] = []
    while len(back) < len(BODIES):
        found = official.receive("eve", invisible_s=30)["messages"]
        now_s = time.monotonic()
        hidden = {message["body"]: now_s - asked_s[message["body"]] for message in found}
        assert all(hidden_s >= INVISIBLE_S for hidden_s in hidden.values()), f"hidden for so many s: {hidden}"
        assert now_s - ended_s < INVISIBLE_S + LATE_S_MAX, f"{len(back)} of {len(BODIES)} are back"
        assert {message["attempt"] for message in found} <= {2}
        back += [message["body"] for message in found]
    print(f"hidden for {INVISIBLE_S} s; all were back {time.monotonic() - ended_s:.2f} s after the last was received")
    assert sorted(back) == sorted(BODIES)


@pytest.mark.parametrize("started", ["long_before", "long_after"])
def test_case_64_messages_in_flight_come_back_in_time_whenever_the_next_leader_started(
    group: Group, place: Place, official: Official, started: str
) -> None:
    old, young = group.names[0], group.names[1]
    leader, following = (young, old) if started == "long_before" else (old, young)
    start_apart(group, old)
    group.hand_over(leader)
    asked_s = fill(official, place)
    ended_s = time.monotonic()
    group.cluster.kill(leader)
    group.hand_over(following)
    assert time.monotonic() < min(asked_s.values()) + INVISIBLE_S, "the other one leads before their time is over"
    check_back(official, asked_s, ended_s)
