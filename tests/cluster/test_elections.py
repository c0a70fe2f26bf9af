"""Sends while nobody leads. Case 18 of the protocol's list: each is acknowledged, or told as failed; both must be true.

The answer 50400 says that surely nothing was done, 50401 that nobody knows.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count

import grpc
import pytest

from mq.core.errors import Code
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, Sent, gap_s
from tests.cluster.load import read_queues
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official, RefusedByClientError
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)

CLIENT_S = 3.0
"""Official clients wait no longer for an answer."""
_NOT_DONE, _UNKNOWN, _NO_ANSWER = int(Code.PROXY_TIMEOUT), int(Code.MASTER_PERSISTENCE_TIMEOUT), 0
_PACE_S = 0.02
_ROUNDS_MAX = 6


class Asked:
    """One raw client of a node that sends one message after the other, `LABEL NUMBER`.

    codes: of the answers, by body; slowest_s: of them.
    """

    def __init__(self, place: Place, client: str, label: str) -> None:
        self._client, self._label, self._numbers = RawClient(client, place.topic, ""), label, count()
        place.keep(self._client)
        self.codes: dict[str, int] = {}
        self.slowest_s = 0.0

    def send(self) -> int:
        """One more; the code of its answer."""
        body, began_s = f"{self._label} {next(self._numbers)}", time.monotonic()
        try:
            code = self._client.try_send(body.encode())
        except grpc.RpcError:
            code = _NO_ANSWER
        self.codes[body] = code
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
        return code

    def with_code(self, code: int) -> set[str]:
        """Bodies that were answered so."""
        return {body for body, found in self.codes.items() if found == code}


def check_stored(group: Group, topic: str, asked: list[Asked], sent: list[Sent]) -> None:
    """What was acknowledged is stored, what was surely not done is not, and nothing is there twice or was never sent."""
    bodies = [one.body.decode() for one in group.stored(topic)]
    assert len(bodies) == len(set(bodies))
    stored = set(bodies)
    assert {one.body for one in sent if not one.error} <= stored
    known = {one.body for one in sent}
    for one in asked:
        assert one.with_code(OK) <= stored
        assert one.with_code(_NOT_DONE) & stored == set(), "these clients were told that nothing was done"
        known |= set(one.codes)
    assert stored <= known


def check_consumed_with(official: Official, asked: list[Asked], sent: list[Sent]) -> None:
    """As `check_consumed`; the raw clients' messages are consumed, too."""
    theirs = [Sent(0, 0, body, "" if code == OK else str(code)) for one in asked for body, code in one.codes.items()]
    check_consumed(official, "eve", [*sent, *theirs])


def check_held(sent: list[Sent], asked: list[Asked], paused_s: float) -> None:
    """Clients whose node stands by them met an election, were held up, and then served."""
    slowest_s = max(*(one.ended_s - one.began_s for one in sent), *(one.slowest_s for one in asked))
    print(f"the leader stood still: gap {gap_s(sent, paused_s):.2f} s; slowest answer {slowest_s:.2f} s")
    assert [one for one in sent if one.error] == []
    assert any(one.began_s < paused_s + 1 and one.ended_s > paused_s + 0.2 for one in sent)
    assert slowest_s < CLIENT_S
    answers = {code for one in asked for code in one.codes.values()}
    assert answers <= {OK, _NOT_DONE, _UNKNOWN}, "each has an answer that says what came of it"


def test_case_18_what_is_sent_during_an_election_is_acknowledged_or_clearly_failed(
    group: Group, place: Place, official: Official
) -> None:
    """The leader stands still: nobody is told, so a whole election time-out passes, and calls are held meanwhile."""
    topic = place.topic
    official.push("eve", topic=topic, group=place.group)
    official.producer("anna", topic=topic)
    used = group.node_of(official.pid)
    paused = group.others(used)[0]
    group.hand_over(paused)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    asked = [Asked(place, group.clients[name], name) for name in group.others(paused)]
    assert [one.send() for one in asked] == [OK, OK]
    wait_for_more(official, "anna", 20)
    group.cluster.pause(paused)
    paused_s = time.monotonic()
    with ThreadPoolExecutor(len(asked)) as pool:
        list(pool.map(Asked.send, asked))  # the ones that an election holds up
    assert group.leader(but=paused) != paused
    for one in asked:
        wait_until(lambda: one.send() == OK, "sends are acknowledged again")  # noqa: B023 - called in this turn
    wait_for_more(official, "anna")
    group.cluster.resume(paused)
    group.mend()
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    check_held(sent, asked, paused_s)
    check_consumed_with(official, asked, sent)
    check_stored(group, topic, asked, sent)


def send_until_closed(group: Group, name: str, asked: Asked, pool: ThreadPoolExecutor) -> "list[Future[int]]":
    """One send after the other, none waiting for the one before, until the node lets nobody in any more."""
    calls: list[Future[int]] = []
    pause = threading.Event()

    def is_closed() -> bool:
        calls.append(pool.submit(asked.send))
        pause.wait(_PACE_S)
        return not group.is_open(name)

    wait_until(is_closed, f"{name} turns clients away")
    return calls


def check_told(asked: list[Asked]) -> None:
    """Every call has ended in time, and in one of four ways."""
    told = {code: sum(len(one.with_code(code)) for one in asked) for code in (OK, _NOT_DONE, _UNKNOWN, _NO_ANSWER)}
    print(f"raw sends by their answers: {told}")
    assert sum(told.values()) == sum(len(one.codes) for one in asked), "no other answer"
    assert max(one.slowest_s for one in asked) < CLIENT_S


def is_sent(official: Official, topic: str, body: str) -> bool:
    """Whether it was acknowledged; its connections may be on their way."""
    try:
        official.send("anna", topic=topic, body=body)
    except RefusedByClientError:
        return False
    return True


def leave_alone(group: Group, left: str) -> None:
    """The leader stands still and the other follower is dead: no election ends."""
    leader = group.leader()
    (other,) = [name for name in group.others(leader) if name != left]
    group.cluster.kill(other)
    group.cluster.pause(leader)


def make_deaf(group: Group, left: str) -> None:
    """The leader hears this follower and carries out what it passes on, but its answers are lost, and all else that it says."""
    group.cluster.cut(group.leader(), left, is_one_way=True)


def were_told_not_done(_group: Group, _topic: str, asked: list[Asked]) -> bool:
    """Whether some calls were held until their time was over."""
    return any(one.with_code(_NOT_DONE) for one in asked)


def were_done_unheard(group: Group, topic: str, asked: list[Asked]) -> bool:
    """Whether some calls were carried out, and their answers were lost: told as unknown, or not at all."""
    lost = set[str]().union(*(one.with_code(_UNKNOWN) | one.with_code(_NO_ANSWER) for one in asked))
    stored = asyncio.run(read_queues(group.clients[group.leader()], topic, 4))  # others send meanwhile
    return bool(lost & {one.body.decode() for one in stored})


@pytest.mark.parametrize(
    ("trouble", "is_met"), [(leave_alone, were_told_not_done), (make_deaf, were_done_unheard)], ids=["leave_alone", "make_deaf"]
)
def test_case_18_a_send_that_is_told_as_not_done_is_never_found(
    group: Group, place: Place, official: Official, trouble: Callable[[Group, str], None],
    is_met: Callable[[Group, str, list[Asked]], bool],
) -> None:  # fmt: skip
    """A node without a leader holds calls for a while, refuses them, and then turns its clients away; at once, when the others
    follow a leader that only this node does not hear.

    What was under way when it lost its leader, and what came later, must be told apart. Few calls come just then, so they come in
    quick succession, until the test has met what it is about.
    """
    topic, asked = place.topic, list[Asked]()
    official.producer("anna", topic=topic)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    with ThreadPoolExecutor(256) as pool:
        while not is_met(group, topic, asked):
            assert len(asked) < _ROUNDS_MAX, "it did not meet what it is about"
            wait_for_more(official, "anna", 20)
            left = group.others(group.leader())[0]
            one = Asked(place, group.clients[left], f"raw-{len(asked)}")
            asked.append(one)
            wait_until(lambda: one.send() == OK, "a node that was just mended serves")  # noqa: B023 - called in this turn
            trouble(group, left)
            calls = send_until_closed(group, left, one, pool)
            group.mend()
            wait_until(lambda: all(call.done() for call in calls), "every call has ended")  # noqa: B023 - called in this turn
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    check_told(asked)
    check_stored(group, topic, asked, sent)


def test_case_18_an_official_client_is_told_that_its_send_failed_while_nobody_can_lead(
    group: Group, place: Place, official: Official
) -> None:
    official.producer("anna", topic=place.topic)
    official.send("anna", topic=place.topic, body="before")
    leave_alone(group, group.others(group.leader())[0])
    with pytest.raises(RefusedByClientError):
        official.send("anna", topic=place.topic, body="meanwhile")
    group.mend()
    wait_until(lambda: is_sent(official, place.topic, "after"), "sends are acknowledged again")
    bodies = [one.body.decode() for one in group.stored(place.topic)]
    assert {"before", "after"} <= set(bodies) <= {"before", "meanwhile", "after"}
    assert bodies.count("before") == 1
