"""`--parts`: organs that cry damage, break while the node starts, hang its import, or end its process at once.

None of them takes stored data away or the other nodes down, and each is told by name.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mq.cluster.broken_parts import BrokenPartsError
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess, free_port, run_mq, wait_until
from tests.cluster.test_replaced_organs import send

RAFT = "import os\nfrom mq.raft.node import RaftNode\n\nclass Raft(RaftNode):\n    __slots__ = ()\n"
LOG = """
from mq.broker.store.commit_log import CommitLog as Base
from mq.core.errors import DamageError

class CommitLog(Base):
"""
CRIES_DAMAGE_AT_A_START = f"""{LOG}
    def recover(self, files, *rest):
        if files:
            raise DamageError(min(files), 40, "the checksum does not match")
        return (yield from super().recover(files, *rest))
"""
CRIES_DAMAGE = f"""{LOG}
    def append(self, after_index, entries, hard_state=None):
        if after_index > 3:
            raise DamageError("log/x.log", 5, "my own check says so")
        return super().append(after_index, entries, hard_state)
"""
STANDS_ELSEWHERE = f"""{LOG}
    def append(self, after_index, entries, hard_state=None):
        return super().append(after_index - (after_index > 3), entries, hard_state)
"""
IS_GONE = f"""{RAFT}
    def step(self, message):
        if self.commit_index > 3:
            os._exit(0)
        return super().step(message)
"""
SLIPS = f"""{RAFT}
    def step(self, message):
        return super().step(message if self.commit_index <= 3 else self.mesage)
"""
BREAKS_WHEN_MADE = f"""{RAFT}
    def __init__(self, *arguments, **named):
        raise ValueError("boo")
"""
IS_A_SKELETON = f"""{RAFT}
    def tick(self):
        raise NotImplementedError("lab 3a: Raft.tick")
"""


@contextmanager
def cluster_in(folder: Path, plan: ClusterPlan) -> Iterator[tuple[LocalCluster, str]]:
    """A cluster with one topic, and the addresses of its first two nodes."""
    cluster = LocalCluster.up(folder, plan)
    try:
        endpoint = ",".join(node.client for node in ClusterFile.read(folder).nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        yield cluster, endpoint
    finally:
        cluster.down()


def states_of(cluster: LocalCluster) -> list[str]:
    return [node.state for node in cluster.status().nodes]


def put_aside(folder: Path) -> list[Path]:
    return list((folder / "data").glob("*/damaged-*"))


@pytest.mark.parametrize(
    ("organ", "complaints"),
    [
        (
            CRIES_DAMAGE,
            [
                "commit_log: `append` says that stored data is damaged: log/x.log, byte 5: my own check says so",
                "organ.py, line 9, in append",
            ],
        ),
        (
            STANDS_ELSEWHERE,
            ["commit_log: `append` raised StateError: entry ", " cannot stand behind ", "organ.py, line 8, in append"],
        ),
        (IS_GONE, ["this process ended in the middle of raft: `step`: "]),
        (SLIPS, ["raft: `step` raised AttributeError: 'Raft' object has no attribute 'mesage'", "organ.py, line 8, in step"]),
    ],
    ids=["cries damage", "an error of ours", "ends the process", "slips"],
)
def test_a_node_whose_organ_breaks_says_where_and_stops_and_nothing_is_put_aside(
    tmp_path: Path, organ: str, complaints: list[str]
) -> None:
    (tmp_path / "organ.py").write_text(organ)
    folder = tmp_path / "cluster"
    plan = ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(tmp_path / "organ.py")})
    with cluster_in(folder, plan) as (cluster, endpoint):
        for _ in range(5):
            send(endpoint, 3)
        wait_until(lambda: states_of(cluster)[2] == "stopped", "the node with the broken organ stops")
        wait_until(lambda: complaints[0] in "".join(cluster.logs("broker-a-3")), "it is told why")
        told = "".join(cluster.logs("broker-a-3"))
        assert [one for one in complaints if one not in told] == []
        send(endpoint, 20)
        assert states_of(cluster)[:2] == ["running", "running"]
        assert put_aside(folder) == []


def test_a_log_that_takes_whole_data_for_damaged_on_all_nodes_puts_nothing_aside_and_all_is_there_with_our_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "organ.py").write_text(CRIES_DAMAGE_AT_A_START)
    folder = tmp_path / "cluster"
    with cluster_in(folder, ClusterPlan(base_port=0, is_direct=True)) as (cluster, endpoint):
        send(endpoint, 30)
        cluster.down()
        with pytest.raises(ClusterError, match="commit_log: `recover` says that stored data is damaged"):
            LocalCluster.up(folder, ClusterPlan(parts={"": str(tmp_path / "organ.py")}))
        assert put_aside(folder) == []
        told = ["".join(cluster.logs(node.name)) for node in cluster.status().nodes]
        broken = [log for log in told if "commit_log: `recover` says" in log]  # the others were stopped before they came to that
        assert broken, told
        for log in broken:
            assert log.index("was written by other organs") < log.index("commit_log: `recover` says")
        LocalCluster.up(folder, ClusterPlan(parts={"": ""}))
        assert len(received_bodies(cluster)) == 30


def received_bodies(cluster: LocalCluster) -> list[str]:
    """All that are stored have the same body: their places tell them apart."""
    endpoint = ",".join(node.client for node in cluster.status().nodes)
    done = run_mq("consume", "orders", "--group", "kitchen", "--count", "30", "--endpoint", endpoint)
    assert done.code == 0, done
    return done.out.splitlines()


@pytest.mark.parametrize(
    ("organ", "complaint"),
    [
        (BREAKS_WHEN_MADE, "raft: `__init__` raised ValueError: boo"),
        (IS_A_SKELETON, "raft: `tick` raised NotImplementedError: lab 3a: Raft.tick"),
    ],
    ids=["when it is made", "a skeleton"],
)
def test_an_organ_that_breaks_while_its_node_starts_is_told_and_the_others_serve(
    tmp_path: Path, organ: str, complaint: str
) -> None:
    (tmp_path / "organ.py").write_text(organ)
    folder = tmp_path / "cluster"
    with cluster_in(folder, ClusterPlan(base_port=0, is_direct=True)) as (cluster, endpoint):
        send(endpoint, 3)
        cluster.down()
        done = run_mq("cluster", "up", "--dir", str(folder), "--parts", f"broker-a-3={tmp_path / 'organ.py'}")
        assert done.code == 1, done
        assert complaint in done.err
        assert "broker-a-1 and broker-a-2 serve without it: export MQ_ENDPOINT=" in done.err
        assert "Traceback" not in done.err
        assert states_of(cluster) == ["running", "running", "stopped"]
        send(endpoint, 3)
        assert complaint in "".join(cluster.logs("broker-a-3"))


def test_a_new_cluster_that_cannot_begin_without_the_broken_one_is_not_made_and_its_log_is_kept(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(BREAKS_WHEN_MADE)
    folder = tmp_path / "cluster"
    plan = ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(tmp_path / "organ.py")})
    began_s = time.monotonic()
    with pytest.raises(ClusterError, match="raft: `__init__` raised ValueError: boo") as told:
        LocalCluster.up(folder, plan, others_go_on=True)
    assert not isinstance(told.value, BrokenPartsError)
    assert time.monotonic() - began_s < 50
    assert not ClusterFile.exists(folder)
    assert "raft: `__init__` raised ValueError: boo" in (folder / "logs" / "broker-a-3.log").read_text()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\nwhile True:\n    pass\n", "did not come back within 10 s: this node stops"),
        ("import os\nos._exit(0)\n", "this process ended in the middle of parts: the import of "),
        ("import sys\nsys.exit(0)\n", "cannot be imported: SystemExit: 0"),
    ],
    ids=["never ends", "ends the process", "exits"],
)
def test_an_import_that_does_not_end_well_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "organ.py").write_text(text)
    broker = BrokerProcess(tmp_path, "--parts", str(tmp_path / "organ.py"))
    process = broker.launch()
    try:
        wait_until(lambda: process.poll() is not None, "the broker ends", limit_s=60)
        wait_until(lambda: complaint in broker.log, "it is told why", limit_s=5)
        assert "organ.py" in broker.log
        assert not broker.data.exists()
    finally:
        broker.__exit__()


def test_a_raft_that_lacks_what_the_node_needs_is_told_without_noise(tmp_path: Path) -> None:
    methods = (
        "tick", "step", "propose", "saved", "save_failed", "applied", "view", "read", "campaign", "transfer", "change_members",
        "disk_failed", "take_snapshot", "snapshot_saved", "snapshot_received", "snapshot_failed", "fetched", "chunk_fetched",
    )  # fmt: skip
    text = "class Raft:\n    def __init__(self, *_, **__): ...\n" + "".join(
        f"    def {name}(self, *_): ...\n" for name in methods
    )
    (tmp_path / "organ.py").write_text(text)
    peers = f"1=127.0.0.1:{free_port()}"
    broker = BrokerProcess(tmp_path, "--parts", str(tmp_path / "organ.py"), "--peers", peers)
    process = broker.launch()
    try:
        wait_until(lambda: process.poll() is not None, "the broker ends", limit_s=60)
        assert process.returncode == 1
        assert "the broker cannot start: raft: `__init__` leaves it without configuration" in broker.log
        assert "internal error" not in broker.log
        assert "Exception ignored" not in broker.log
    finally:
        broker.__exit__()
