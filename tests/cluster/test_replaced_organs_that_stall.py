"""`--parts`: an organ that would make its group lose entries, or stand still, ends its node; slow disks and cuts end none."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.errors import MqError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.server.faults import Faults
from tests.cluster.broker_process import run_mq, wait_until
from tests.cluster.caller import Caller
from tests.cluster.test_replaced_organs import acknowledged, leads_when_asked, received, send

pytestmark = pytest.mark.timeout(300)

DROPS_A_SAVE = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    dropped = []
    def step(self, message):
        output = super().step(message)
        if output.saves and self.commit_index > 8 and not self.dropped:
            self.dropped.append(output.saves)
            return output._replace(saves=())
        return output
"""
LIES_ABOUT_ITS_END = """
from mq.broker.store.commit_log import CommitLog as Base

class CommitLog(Base):
    @property
    def durable_index(self):
        return self.last_index if self.last_index > 8 else super().durable_index
"""
DOES_NOT_LISTEN = """
from mq.broker.store.commit_log import CommitLog as Base

class CommitLog(Base):
    def synced(self, sequence):
        if self.last_index <= 8:
            super().synced(sequence)
"""
ONLY_BEATS = """
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def _finish(self):
        output = super()._finish()
        return output._replace(send=tuple(one for one in output.send if not (isinstance(one, AppendRequest) and one.entries)))
"""
REFUSES = """
from mq.raft.errors import NotLeaderError
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def propose(self, payloads):
        raise NotLeaderError(None)
"""
RIGHT = """
from mq.broker.store.commit_log import CommitLog as BaseLog
from mq.raft.node import RaftNode

class CommitLog(BaseLog):
    pass

class Raft(RaftNode):
    __slots__ = ()
"""


@contextmanager
def a_third_node_with(folder: Path, organ: str) -> Iterator[tuple[LocalCluster, str, str]]:
    """The cluster with a topic; where the two others are reached, and where the third one is."""
    (folder / "organ.py").write_text(organ)
    place = folder / "cluster"
    cluster = LocalCluster.up(place, ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(folder / "organ.py")}))
    try:
        *others, third = ClusterFile.read(place).nodes
        endpoint = ",".join(node.client for node in others)
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=1)
        yield cluster, endpoint, third.client
    finally:
        cluster.down()


def check_it_stopped(cluster: LocalCluster, complaint: str) -> None:
    wait_until(lambda: cluster.status().nodes[2].state == "stopped", "the node with the broken organ stops")
    assert complaint in "".join(cluster.logs("broker-a-3"))
    assert [node.state for node in cluster.status().nodes[:2]] == ["running", "running"]


@pytest.mark.parametrize(
    ("organ", "complaint"),
    [
        (DROPS_A_SAVE, "which `step` put into the log before: what is in it is lost"),
        (LIES_ABOUT_ITS_END, "commit_log: `append` leaves a log that says that entries up to "),
        (DOES_NOT_LISTEN, "commit_log: `synced` was told that entries up to "),
    ],
    ids=["drops a save", "lies about its durable end", "does not listen"],
)
def test_a_follower_that_lacks_what_it_would_acknowledge_stops_and_the_group_goes_on(
    tmp_path: Path, organ: str, complaint: str
) -> None:
    with a_third_node_with(tmp_path, organ) as (cluster, endpoint, _):
        first = endpoint.partition(",")[0]
        wait_until(lambda: leads_when_asked(first, endpoint, 1), "node 1 leads")
        for _ in range(10):
            send(endpoint, 1)
        check_it_stopped(cluster, complaint)
        send(endpoint, 20)


@pytest.mark.parametrize(
    ("organ", "complaint"),
    [
        (ONLY_BEATS, "raft: `tick` leads and sends no entries to node 1 and node 2, which answered "),
        (REFUSES, "raft: `propose` says that this node does not lead, and `view` says that it does"),
    ],
    ids=["only beats", "refuses"],
)
def test_a_leader_that_would_keep_its_group_from_ever_storing_anything_stops_and_another_one_leads(
    tmp_path: Path, organ: str, complaint: str
) -> None:
    with a_third_node_with(tmp_path, organ) as (cluster, endpoint, third):
        send(endpoint, 3)
        with Connection(endpoint) as connection, suppress(MqError):  # it may stop before it has said that it leads
            AdminClient(connection).transfer_leadership(3)
        run_mq("send", "orders", "bread", "--endpoint", third)
        check_it_stopped(cluster, complaint)
        assert "node 3 leads" in "".join(cluster.logs("broker-a-3"))
        send(endpoint, 20)


def test_right_organs_are_let_be_with_slow_disks_cuts_pauses_and_handing_over(tmp_path: Path) -> None:
    """Each of these lasts longer than a leader may leave something undone."""
    (tmp_path / "organ.py").write_text(RIGHT)
    folder = tmp_path / "cluster"
    plan = ClusterPlan(base_port=0, parts={"": str(tmp_path / "organ.py")}, is_under_test=True)
    cluster = LocalCluster.up(folder, plan)
    try:
        nodes = ClusterFile.read(folder).nodes
        names = [node.name for node in nodes]
        endpoint = ",".join(node.client for node in nodes)
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=1)
        wait_until(lambda: leads_when_asked(nodes[0].client, endpoint, 1), "node 1 leads")
        with sending(nodes[0].client) as sent:
            make_it_hard(cluster, names)
            wait_until(lambda: leads_when_asked(nodes[2].client, endpoint), "node 3 leads")
            sleep_s(5)
        send(endpoint, 20)
        told = ["".join(cluster.logs(name)) for name in names]
        assert [node.state for node in cluster.status().nodes] == ["running"] * 3, told
        assert not [line for log in told for line in log.splitlines() if " raft: `" in line or " commit_log: `" in line]
        assert len(sent) > 20
        assert set(sent) <= received(nodes[0].client)
    finally:
        cluster.down()


def make_it_hard(cluster: LocalCluster, names: list[str]) -> None:
    """For those that follow, the one that leads, and all of them."""
    for slow in (names[1:], names[:1], names):
        for name in slow:
            cluster.play(name, Faults(slow_ms=1500))
        sleep_s(6)
        for name in slow:
            cluster.play(name, Faults())
    cluster.isolate(names[2])
    sleep_s(5)
    cluster.heal()
    cluster.pause(names[1])
    sleep_s(5)
    cluster.resume(names[1])


@contextmanager
def sending(client: str) -> Iterator[list[bytes]]:
    """All the while; what was acknowledged."""
    sent: list[bytes] = []
    ended = threading.Event()

    def keep_sending(number: int) -> None:
        with Caller(client) as caller:
            count = 0
            while not ended.is_set():
                count += 1
                body = acknowledged(caller, b"%d of %d" % (count, number))
                if body:
                    sent.append(body)
                else:
                    ended.wait(0.1)

    threads = [threading.Thread(target=keep_sending, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def sleep_s(seconds: float) -> None:
    end_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end_s, "a good while passes")
