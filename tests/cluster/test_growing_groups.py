"""A leader that dies while the set of those who decide grows. RocketMQ's issue 5663: data was lost just there."""

import sys
from collections.abc import Iterator

import pytest

from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, without_accident
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Nodes that die on demand while they lead."""
    command = (sys.executable, "-m", "tests.cluster.dying_leader_broker")
    with without_accident(tmp_path_factory.mktemp("group") / "cluster", command=command) as made:
        yield made


@pytest.mark.parametrize("moment", ["joint", "done"])
def test_issue_5663_a_leader_that_dies_between_commit_and_apply_of_a_growth_loses_nothing(
    group: Group, place: Place, official: Official, moment: str
) -> None:
    """A wiped node is made a voter again; the leader knows that this is decided, and dies before anybody hears it.

    Until it is back nobody may lead: the one that is left does not decide alone, and the wiped one not before it is told.
    """
    topic = place.topic
    official.push("eve", topic=topic, group=place.group)
    official.producer("anna", topic=topic)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    wait_for_more(official, "anna")
    leader = group.leader()
    wiped = group.others(leader)[0]
    switch = group.folder / "data" / f"{leader}.dies"
    switch.write_text(moment, encoding="utf-8")
    group.wipe(wiped)
    wait_until(lambda: group.state_of(leader) == "stopped", "the leader dies at that moment", limit_s=60)
    assert not switch.exists(), "by its own hand"
    group.mend()
    wait_until(lambda: group.voters() == {(1, 2, 3)}, "all nodes know the same three voters")
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    print(f"{len(sent)} sends, {sum(bool(one.error) for one in sent)} failed")
    check_consumed(official, "eve", sent)
    bodies = [one.body.decode() for one in group.stored(topic)]
    assert {one.body for one in sent if not one.error} <= set(bodies)
    assert len(bodies) == len(set(bodies))
