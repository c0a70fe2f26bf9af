"""A leader whose disk neither fails nor comes back is replaced, and its clients are served."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mq.server.faults import Faults
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place

pytestmark = pytest.mark.timeout(300)


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
    assert "the disk has not come back from one step for" in group.log_of(hung)
    group.cluster.play(hung, Faults())
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    assert [one for one in sent if one.error] == []
    check_consumed(official, "eve", sent)
