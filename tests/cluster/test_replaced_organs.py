"""`--parts`: a right Raft of somebody else drives the group; a broken organ ends its own node, and the group goes on."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
import psutil
import pytest

from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.errors import Code, RefusedError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess, run_mq, wait_until
from tests.cluster.caller import Caller

ROOT = Path(__file__).resolve().parent.parent.parent
HANGS = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def step(self, message):
        while self.commit_index > 3:
            pass
        return super().step(message)
"""
RETURNS_WORDS = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def saved(self, sequence):
        return "yes" if self.commit_index > 3 else super().saved(sequence)
"""
HOLDS = """
from itertools import count
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def step(self, message):
        if self.commit_index > 3:
            max(count())  # one call into C: no other thread runs any more
        return super().step(message)
"""
EXITS = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def step(self, message):
        if self.commit_index > 3:
            exit()
        return super().step(message)
"""
FIRST_LEADER_EXITS = """
from pathlib import Path
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def propose(self, payloads):
        if self.commit_index > 3:
            try:
                Path(__file__).with_name("exit").unlink()
            except FileNotFoundError:
                pass
            else:
                exit(0)
        return super().propose(payloads)
"""
RIGHT = """
from mq.broker.store.commit_log import CommitLog as Base

class CommitLog(Base):
    pass
"""
LOSES = """
from mq.broker.store.commit_log import CommitLog as Base

class CommitLog(Base):
    def append(self, after_index, entries, hard_state=None):
        kept = entries[:-1] if after_index > 3 else entries
        return super().append(after_index, kept, hard_state or self.hard_state)
"""
DROPS_WRITES = """
from dataclasses import replace
from mq.broker.store.commit_log import CommitLog as Base
from mq.core.ports import Write

class CommitLog(Base):
    def append(self, after_index, entries, hard_state=None):
        appended = super().append(after_index, entries, hard_state)
        if after_index <= 3:
            return appended
        return replace(appended, plan=tuple(one for one in appended.plan if not isinstance(one, Write)))
"""
READS_FOR_EVER = """
from mq.broker.store.commit_log import CommitLog as Base

class CommitLog(Base):
    def entries(self, first, last, bytes_max):
        while True:
            pass
        yield
"""

FORGETS_ITS_END = """
from mq.broker.store.commit_log import CommitLog as Base

class CommitLog(Base):
    def recover(self, files, *rest):
        steps, data, limit = super().recover(files, *rest), None, 3000
        while True:
            try:
                wanted = steps.send(data)
            except StopIteration as done:
                return done.value
            data = yield wanted
            keep = max(0, limit - wanted.at)
            data = data[:keep] + bytes(len(data[keep:]))
"""
APPLIES_WHAT_IS_DURABLE = """
from pathlib import Path
from mq.raft.node import RaftNode
from mq.raft.role import Role

class Raft(RaftNode):
    __slots__ = ()

    def _check_quorum(self):
        pass  # it goes on leading

    @property
    def apply_to(self):
        if self.role is Role.LEADER and Path(__file__).with_name("alone").exists():
            return self.log.storage.durable_index
        return super().apply_to
"""
WRITES_ZEROS_OVER_IT = """
from dataclasses import replace
from mq.broker.store.commit_log import CommitLog as Base
from mq.core.ports import Sync, Write

class CommitLog(Base):
    def append(self, after_index, entries, hard_state=None):
        appended = super().append(after_index, entries, hard_state)
        if after_index <= 3 or not entries:
            return appended
        last = [one for one in appended.plan if isinstance(one, Write)][-1]
        return replace(appended, plan=(*appended.plan, Write(last.file, last.at, bytes(len(last.data))), Sync(last.file)))
"""
LOSES_A_COMMAND = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def propose(self, payloads):
        return super().propose(payloads[1:] or payloads)
"""


def send(endpoint: str, count: int) -> None:
    done = run_mq("send", "orders", "bread", "--count", str(count), "--endpoint", endpoint)
    assert done.code == 0, done


@pytest.mark.parametrize(
    ("organ", "complaint"),
    [
        (HANGS, "raft: `step` did not come back within 2 s: this node stops"),
        (HOLDS, "raft: `step` did not come back within 2 s and holds the interpreter: this node is ended"),
        (EXITS, "the broker stops: raft: `step` raised SystemExit: None"),
        (RETURNS_WORDS, "raft: `saved` returned str, expected Output"),
        (LOSES, "commit_log: `append` was given entries up to "),
        (DROPS_WRITES, "commit_log: `append` returned a plan that writes nothing: what it was given is lost"),
        (WRITES_ZEROS_OVER_IT, "its plan writes that entry's payload and does not leave it there: it is lost"),
    ],
    ids=["hangs", "holds the interpreter", "exits", "wrong type", "loses entries", "drops writes", "writes zeros over it"],
)
def test_a_node_with_a_broken_organ_says_so_and_stops_and_the_group_goes_on(tmp_path: Path, organ: str, complaint: str) -> None:
    (tmp_path / "organ.py").write_text(organ)
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(tmp_path / "organ.py")}))
    try:
        endpoint = ",".join(node.client for node in ClusterFile.read(folder).nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        for _ in range(5):
            send(endpoint, 3)
        wait_until(lambda: cluster.status().nodes[2].state == "stopped", "the node with the broken organ stops")
        assert complaint in "".join(cluster.logs("broker-a-3"))
        send(endpoint, 20)
        assert [node.state for node in cluster.status().nodes[:2]] == ["running", "running"]
    finally:
        cluster.down()


def test_a_node_whose_log_is_read_for_ever_says_so_and_stops_instead_of_spinning(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(READS_FOR_EVER)
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(tmp_path / "organ.py")}))
    try:
        endpoint = ",".join(node.client for node in ClusterFile.read(folder).nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        send(endpoint, 3)
        third = cluster.status().nodes[2]
        wait_until(lambda: (answer := ask_broker(third.client)) and answer.last_index > 3, "it has stored something")
        cluster.kill("broker-a-3")
        cluster.start("broker-a-3", is_awaited=False)  # what it stored is read now
        wait_until(lambda: cluster.status().nodes[2].state == "stopped", "the node with the broken organ stops", limit_s=60)
        told = "".join(cluster.logs("broker-a-3"))
        assert "commit_log: `entries` did not come back within 2 s: this node stops" in told
        assert "organ.py" in told
        send(endpoint, 3)
    finally:
        cluster.down()


def test_a_node_whose_log_forgets_its_end_says_so_and_does_not_start_and_its_data_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(FORGETS_ITS_END)
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(tmp_path / "organ.py")}))
    try:
        nodes = ClusterFile.read(folder).nodes
        endpoint = ",".join(node.client for node in nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        send(endpoint, 30)
        wait_until(lambda: (answer := ask_broker(nodes[2].client)) and answer.last_index > 30, "it has stored something")
        cluster.kill("broker-a-3")
        segments = {file: file.read_bytes() for file in (folder / "data" / "broker-a-3" / "log").iterdir()}
        with pytest.raises(
            ClusterError, match=r"commit_log: `recover` found entries up to \d+, and entries up to \d+ were durable"
        ):
            cluster.start("broker-a-3")
        assert segments == {file: file.read_bytes() for file in segments}
        send(endpoint, 3)
    finally:
        cluster.down()


def test_a_leader_whose_raft_loses_a_command_stops_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(LOSES_A_COMMAND)
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, parts={"broker-a-3": str(tmp_path / "organ.py")}))
    try:
        nodes = ClusterFile.read(folder).nodes
        endpoint = ",".join(node.client for node in nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=1)
        wait_until(lambda: leads_when_asked(nodes[2].client, endpoint), "node 3 leads")
        with Caller(nodes[2].client) as client, ThreadPoolExecutor(16) as pool:
            sent = [body for body in pool.map(lambda number: acknowledged(client, b"%d" % number), range(200)) if body]
        wait_until(lambda: cluster.status().nodes[2].state == "stopped", "the node with the broken organ stops")
        assert "ERROR   node: the broker failed, the broker stops: raft: `propose` was given " in "".join(
            cluster.logs("broker-a-3")
        )
        send(endpoint, 20)
        assert len(sent) < 200, "some were under way when it ended"
        assert set(sent) <= received(nodes[0].client)
    finally:
        cluster.down()


def test_a_leader_that_is_cut_off_and_would_apply_what_it_has_alone_stops_and_acknowledges_nothing(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(APPLIES_WHAT_IS_DURABLE)
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, parts={"broker-a-3": str(tmp_path / "organ.py")}))
    try:
        nodes = ClusterFile.read(folder).nodes
        endpoint = ",".join(node.client for node in nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=1)
        wait_until(lambda: leads_when_asked(nodes[2].client, endpoint), "node 3 leads")
        with Caller(nodes[2].client) as client, ThreadPoolExecutor(16) as pool:
            before = [body for body in pool.map(lambda number: acknowledged(client, b"%d" % number), range(20)) if body]
            cluster.isolate("broker-a-3")
            common = last_index(nodes[0].client)
            alone = [pool.submit(acknowledged, client, b"alone %d" % number) for number in range(16)]
            wait_until(lambda: last_index(nodes[2].client) > common, "what it was sent is in its log alone")
            (tmp_path / "alone").touch()
            wait_until(lambda: cluster.status().nodes[2].state == "stopped", "the node with the broken organ stops")
            assert {done.result() for done in alone} == {b""}
        told = "".join(cluster.logs("broker-a-3"))
        assert "the broker stops: raft: `" in told
        assert "to be applied, and a quorum has only those up to " in told
        send(endpoint, 20)
        assert len(before) == 20
        assert set(before) <= received(nodes[0].client)
    finally:
        cluster.down()


def last_index(client: str) -> int:
    """Of a node's newest entry."""
    answer = ask_broker(client)
    return answer.last_index if answer is not None else 0


def leads_when_asked(client: str, endpoint: str, node: int = 3) -> bool:
    with Connection(endpoint) as connection, suppress(RefusedError):
        AdminClient(connection).transfer_leadership(node)
    answer = ask_broker(client)
    return answer is not None and answer.role == "leader"


def acknowledged(client: Caller, body: bytes) -> bytes:
    """What was sent, if the answer says that it is stored."""
    try:
        return body if client.send("orders", body.decode(), body).status.code == Code.OK else b""
    except grpc.RpcError:
        return b""


def received(client: str) -> set[bytes]:
    with Caller(client) as caller:
        found: set[bytes] = set()
        while messages := caller.receive("orders", "kitchen", wait_s=2, invisible_s=60):
            found |= {message.body for message in messages}
        return found


def test_a_leader_whose_organ_exits_says_so_and_stops_and_another_one_leads(tmp_path: Path) -> None:
    organ = tmp_path / "organ.py"
    organ.write_text(FIRST_LEADER_EXITS)
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, parts={"": str(organ)}))
    try:
        nodes = ClusterFile.read(folder).nodes
        endpoint = ",".join(node.client for node in nodes)
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        send(endpoint, 3)
        running = cluster.status().nodes
        leader = leader_of(running, ask_all(running, ask_broker))["broker-a"]
        organ.with_name("exit").touch()
        run_mq("send", "orders", "bread", "--endpoint", endpoint)  # may end with "outcome unknown"
        wait_until(lambda: "stopped" in {node.state for node in cluster.status().nodes}, "the first leader stops")
        assert [node.name for node in cluster.status().nodes if node.state == "stopped"] == [leader]
        assert "the broker stops: raft: `propose` raised SystemExit: 0" in "".join(cluster.logs(leader))
        send(endpoint, 20)
    finally:
        cluster.down()


def test_a_node_with_an_organ_of_its_own_that_stood_still_for_a_while_goes_on(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(RIGHT)
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "organ.py")) as broker:
        assert broker.process is not None
        onlooker = psutil.Process(broker.pid).children()[0]
        broker.mq("topic", "create", "orders", "--queues", "2")
        broker.process.send_signal(signal.SIGSTOP)
        end_s = time.monotonic() + 7
        wait_until(lambda: time.monotonic() > end_s, "a good while passes")
        assert onlooker.is_running()
        broker.process.send_signal(signal.SIGCONT)
        send(broker.endpoint, 5)
        assert broker.terminate() == 0
        wait_until(lambda: not onlooker.is_running(), "the onlooker ends with it")
        assert "did not come back" not in broker.log


@pytest.mark.parametrize("variant", ["lazy", "plain"])
def test_another_raft_that_is_right_drives_the_group_through_a_kill(tmp_path: Path, variant: str) -> None:
    folder = tmp_path / "cluster"
    place = str(ROOT / f"labs/stage3_raft/right/{variant}.py")
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, parts={"": place}))
    try:
        nodes = ClusterFile.read(folder).nodes
        endpoint = ",".join(node.client for node in nodes)
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        send(endpoint, 10)
        running = cluster.status().nodes
        cluster.kill(leader_of(running, ask_all(running, ask_broker))["broker-a"])
        send(endpoint, 10)
        done = run_mq("topic", "describe", "orders", "--endpoint", endpoint, "-o", "json")
        assert '"max_offset"' in done.out, done
        assert f"raft is parts_{variant}.Raft" in "".join(cluster.logs(nodes[0].name))
    finally:
        cluster.down()
