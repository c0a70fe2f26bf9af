"""A leader whose disk fails: it steps down and ends, and another one leads."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, gap_s
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Nodes whose disks fail on demand."""
    command = (sys.executable, "-m", "tests.cluster.failing_disk_broker")
    with Group(tmp_path_factory.mktemp("group") / "cluster", command=command) as made:
        yield made
        logs = made.logs
    assert "Traceback" not in logs


def test_case_60_dledger_issue_287_a_leader_whose_sync_fails_is_replaced_and_nothing_acknowledged_is_lost(
    group: Group, place: Place, official: Official
) -> None:
    official.push("eve", topic=place.topic, group=place.group)
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2", "a3"])
    wait_for_more(official, "anna")
    failing = group.leader()
    switch: Path = group.folder / "data" / f"{failing}.fails"
    switch.touch()
    failed_s = time.monotonic()
    wait_until(lambda: group.state_of(failing) == "stopped", "the node with the failing disk ends")
    assert group.leader() != failing
    wait_for_more(official, "anna")
    assert "the disk failed, the broker stops: sync of " in group.log_of(failing)
    switch.unlink()
    group.mend()
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    failed = [one for one in sent if one.error]
    print(f"{len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, failed_s):.3f} s")
    assert failed == []
    check_consumed(official, "eve", sent)
    assert {one.body.decode() for one in group.stored(place.topic)} == {one.body for one in sent}
    assert [line for line in group.logs.splitlines() if " ERROR " in line and "the disk failed" not in line] == []
