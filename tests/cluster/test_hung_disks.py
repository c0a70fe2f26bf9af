"""A leader whose disk neither fails nor comes back is replaced, and its clients are served; a follower stays what it is."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mq.server.faults import Faults
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, gap_s
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place

pytestmark = pytest.mark.timeout(300)

_TIMEOUT_S = 3.0
"""Of an official client's call."""


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Nodes whose disks can be made to hang."""
    with Group(tmp_path_factory.mktemp("group") / "cluster", is_under_test=True) as made:
        yield made


def test_a_leader_whose_syncs_do_not_come_back_is_replaced_by_itself(
    group: Group, place: Place, official: Official, tmp_path: Path
) -> None:
    official.push("eve", topic=place.topic, group=place.group)
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=[f"a{number}" for number in range(8)])
    wait_for_more(official, "anna")
    hung = group.leader()
    group.cluster.play(hung, Faults(slow_ms=25_000))
    wait_until(lambda: group.leader() not in ("", hung), "another node leads", limit_s=20.0)
    wait_for_more(official, "anna")
    wait_until(lambda: "the disk has not come back from one step for" in group.log_of(hung), "its log says what hangs")
    group.cluster.play(hung, Faults())
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    assert [one for one in sent if one.error] == []
    check_consumed(official, "eve", sent)
    group.cluster.kill(hung)  # its last sync is still to take its 25 s, and the next test wants three nodes that work
    group.mend()


def test_a_client_of_a_follower_whose_syncs_do_not_come_back_is_served_by_it_as_before(
    group: Group, place: Place, official: Official
) -> None:
    asked = group.asked_follower()
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1"])
    wait_for_more(official, "anna")
    leader, hung_s = group.leader(), time.monotonic()
    group.cluster.play(asked, Faults(slow_ms=10_000))
    wait_until(lambda: "the disk has not come back from one step for" in group.log_of(asked), "its log says what hangs")
    wait_for_more(official, "anna")
    assert group.leader() == leader, "nothing is wrong with the leader"
    assert group.is_open(asked)
    group.cluster.play(asked, Faults())
    sent = sent_by(official, "anna")
    gap = gap_s(sent, hung_s)
    print(f"{len(sent)} sends, {len([one for one in sent if one.error])} failed, gap {gap:.2f} s")
    assert [one for one in sent if one.error] == []
    assert gap < _TIMEOUT_S, "no call waited for the disk"
    assert {message.body for message in sent} == {one.body.decode() for one in group.stored(place.topic)}
