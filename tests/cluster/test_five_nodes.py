"""A group of five: two nodes may die at once, and nobody outside notices more than an election."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.group import Group, gap_s
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Five nodes."""
    with Group(tmp_path_factory.mktemp("group") / "cluster", nodes=5) as made:
        yield made
        logs = made.logs
    assert [line for line in logs.splitlines() if "Traceback" in line or " ERROR " in line] == []


def test_the_leader_and_a_follower_die_at_once_and_nothing_acknowledged_is_lost(
    group: Group, place: Place, official: Official
) -> None:
    assert len(group.names) == 5
    official.push("eve", topic=place.topic, group=place.group)
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2"])
    wait_for_more(official, "anna")
    leader, killed_s = group.leader(), time.monotonic()
    dead = [leader, group.others(leader)[0]]
    for name in dead:
        group.cluster.kill(name)
    wait_for_more(official, "anna")
    assert group.leader() not in dead
    assert {group.state_of(name) for name in dead} == {"stopped"}, "three of five went on alone"
    group.mend()
    sent = sent_by(official, "anna")
    failed = [one for one in sent if one.error]
    print(f"{len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, killed_s):.2f} s")
    assert failed == []
    check_consumed(official, "eve", sent)
    stored = [one.body.decode() for one in group.stored(place.topic)]
    assert sorted(stored) == sorted(one.body for one in sent), "each once"
