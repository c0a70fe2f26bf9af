"""`mq cluster --backend docker`: containers that are found again, broken on demand, and taken away without a trace."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.docker import DockerCluster
from mq.cluster.docker_engine import engine
from mq.cluster.docker_plan import CLUSTER_LABEL, cluster_id
from mq.cluster.errors import ClusterError
from tests.cluster.broker_process import run_mq, wait_until

pytestmark = pytest.mark.timeout(300)  # making and removing containers is no quick matter on a busy machine
NAMES = ["broker-a-1", "broker-a-2", "broker-a-3"]
LISTEN = "import socket; s = socket.socket(2, 2); s.bind(('', 9999)); s.settimeout(4); print(s.recv(9).decode())"
TALK = """
import socket, sys, time
s = socket.socket(2, 2)
for _ in range(30):
    s.sendto(b'hello', (sys.argv[1], 9999))
    time.sleep(0.1)
"""
PYTHON = "/opt/raftmq/bin/python"


@pytest.fixture
def whole(cluster: DockerCluster) -> Iterator[DockerCluster]:
    """All nodes run, nothing is cut, and one of them leads."""
    yield cluster
    cluster.heal()
    for node in cluster.status().nodes:
        if node.state == "paused":
            cluster.resume(node.name)
        elif node.state == "stopped":
            cluster.start(node.name, is_awaited=False)
    wait_until(lambda: sorted(roles(cluster).values()) == ["follower", "follower", "leader"], "all is well", limit_s=60)


def roles(cluster: DockerCluster) -> dict[str, str]:
    answers = ask_all(cluster.status().nodes, ask_broker)
    return {name: answer.role for name, answer in answers.items() if answer is not None}


def leader(cluster: DockerCluster, but: str = "") -> str:
    def found() -> str:
        nodes = [node for node in cluster.status().nodes if node.name != but]
        return next(iter(leader_of(nodes, ask_all(nodes, ask_broker)).values()), "")

    return str(wait_until(found, "somebody leads", limit_s=60))


def states(cluster: DockerCluster) -> dict[str, str]:
    return {node.name: node.state for node in cluster.status().nodes}


def container(cluster: DockerCluster, name: str) -> str:
    return next(node.container or "" for node in cluster.status().nodes if node.name == name)


def hears(cluster: DockerCluster, listener: str, talker: str) -> bool:
    """Whether what one container sends reaches the other one, with nothing on the way back."""
    heard: list[object] = []
    ears, mouth = (engine().containers.get(container(cluster, name)) for name in (listener, talker))
    thread = threading.Thread(target=lambda: heard.append(ears.exec_run([PYTHON, "-c", LISTEN], stderr=False).output))
    thread.start()
    mouth.exec_run([PYTHON, "-c", TALK, listener])
    thread.join()
    return heard == [b"hello\n"]


def test_everything_of_a_cluster_bears_its_label_and_serves_clients_of_this_machine(whole: DockerCluster) -> None:
    status = whole.status()
    assert [(node.name, node.node, node.state) for node in status.nodes] == [
        (name, i, "running") for i, name in enumerate(NAMES, 1)
    ]
    label: dict[str, Any] = {"label": f"{CLUSTER_LABEL}={cluster_id(whole.folder)}"}
    client = engine()
    assert len(client.containers.list(filters=label)) == len(client.volumes.list(filters=label)) == 3
    assert len(client.networks.list(filters=label)) == 1
    made = run_mq("topic", "create", "bread", "--endpoint", status.endpoint)
    assert made.code == 0, made
    for node in status.nodes:
        sent = run_mq("send", "bread", f"by {node.name}", "--endpoint", node.client)
        assert sent.code == 0, sent


def test_an_isolated_leader_is_replaced_and_follows_when_healed(whole: DockerCluster) -> None:
    old = leader(whole)
    whole.isolate(old)
    assert sorted(whole.status().cuts) == sorted([(old, n) for n in NAMES if n != old] + [(n, old) for n in NAMES if n != old])
    assert leader(whole, but=old) != old
    whole.heal()
    assert whole.status().cuts == ()
    wait_until(lambda: roles(whole).get(old) == "follower", "the old leader follows", limit_s=60)


def test_a_one_way_cut_is_one_way_and_outlives_a_restart_of_the_container(whole: DockerCluster) -> None:
    quiet, other = [name for name in NAMES if name != leader(whole)]
    whole.cut(quiet, other, is_one_way=True)
    assert not hears(whole, listener=other, talker=quiet)
    assert hears(whole, listener=quiet, talker=other)
    whole.kill(quiet)
    whole.start(quiet, is_awaited=False)
    assert not hears(whole, listener=other, talker=quiet)
    whole.heal()
    assert hears(whole, listener=other, talker=quiet)


def test_nodes_are_killed_paused_and_stopped_and_come_back(whole: DockerCluster) -> None:
    first, second, third = NAMES
    whole.kill(first)
    assert states(whole) == {first: "stopped", second: "running", third: "running"}
    with pytest.raises(ClusterError, match="does not run"):
        whole.pause(first)
    assert whole.start(first)
    whole.pause(second)
    assert states(whole)[second] == "paused"
    with pytest.raises(ClusterError, match="broker-a-2 is paused; `mq cluster resume`"):
        whole.start(second)
    whole.resume(second)
    whole.stop(third)
    assert states(whole)[third] == "stopped"
    assert any("serves on" in line for line in whole.logs(third))
    assert whole.start(third)


def test_what_containers_cannot_do_is_said(whole: DockerCluster) -> None:
    with pytest.raises(ClusterError, match="containers cannot be delayed"):
        whole.delay(NAMES[0], NAMES[1], 50)
    with pytest.raises(ClusterError, match="there is no node 'broker-a-9'"):
        whole.kill("broker-a-9")


def test_the_commands_find_a_cluster_of_containers_and_what_is_stored_outlives_them(image: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "cluster")
    up = ("cluster", "up", "--dir", folder, "--backend", "docker", "--image", image, "--nodes", "1", "--port", "0", "-o", "json")
    ran = run_mq(*up, limit_s=120)
    assert ran.code == 0, ran
    try:
        (node,) = ran.json["nodes"]
        assert node["container"].endswith("-broker-a-1")
        assert "pid" not in node
        assert run_mq("topic", "create", "bread", "--endpoint", ran.json["endpoint"]).code == 0
        again = run_mq(*up)
        assert "is up already" in again.err
        assert run_mq("cluster", "kill", "leader", "--dir", folder).code == 0
        assert run_mq("cluster", "status", "--dir", folder, "-o", "json").json["nodes"][0]["state"] == "stopped"
        assert run_mq("cluster", "down", "--dir", folder).code == 0
        ran = run_mq(*up, limit_s=120)
        assert ran.code == 0, ran
        found = run_mq("topic", "list", "--endpoint", ran.json["endpoint"], "-o", "json")
        assert "bread" in json.dumps(found.json)
    finally:
        assert run_mq("cluster", "down", "--volumes", "--dir", folder).code == 0
    label: dict[str, Any] = {"label": f"{CLUSTER_LABEL}={cluster_id(Path(folder).resolve())}"}
    client = engine()
    assert client.containers.list(all=True, filters=label) == []
    assert client.networks.list(filters=label) == client.volumes.list(filters=label) == []


def test_a_missing_image_is_named_with_what_makes_it(image: str, tmp_path: Path) -> None:
    ran = run_mq("cluster", "up", "--dir", str(tmp_path / "c"), "--backend", "docker", "--image", "raftmq-nowhere:1")
    assert ran.code != 0
    assert "there is no image raftmq-nowhere:1: docker build -t raftmq-nowhere:1 -f docker/Dockerfile ." in ran.err
