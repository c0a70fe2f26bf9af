"""`mq cluster --backend docker`: containers that are found again, broken on demand, and taken away without a trace."""

import json
import shutil
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
from mq.server.faults import Faults
from tests.cluster.broker_process import Ran, run_mq, wait_until

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
    """All nodes run, nothing is cut, and one of them leads: before, and again after it."""
    await_calm(cluster)
    yield cluster
    cluster.heal()
    for node in cluster.status().nodes:
        if node.state == "paused":
            cluster.resume(node.name)
        elif node.state == "stopped":
            cluster.start(node.name, is_awaited=False)
    await_calm(cluster)


def await_calm(cluster: DockerCluster) -> None:
    wait_until(lambda: sorted(roles(cluster).values()) == ["follower", "follower", "leader"], "all is well", limit_s=90)


def mq_sooner_or_later(*arguments: str) -> None:
    """A command that is given again while the group elects another leader, as a busy machine lets it do at any time."""
    ran: list[Ran] = []

    def is_done() -> bool:
        ran.append(run_mq(*arguments))
        return ran[-1].code == 0

    wait_until(is_done, " ".join(arguments), limit_s=60)


def of_cluster(folder: Path) -> dict[str, Any]:
    """Finds what bears the label of this folder's cluster."""
    return {"label": f"{CLUSTER_LABEL}={cluster_id(folder.resolve())}"}


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
    label, client = of_cluster(whole.folder), engine()
    assert len(client.containers.list(filters=label)) == len(client.volumes.list(filters=label)) == 3
    assert len(client.networks.list(filters=label)) == 1
    mq_sooner_or_later("topic", "create", "bread", "--endpoint", status.endpoint)
    for node in status.nodes:
        mq_sooner_or_later("send", "bread", f"by {node.name}", "--endpoint", node.client)


def test_an_isolated_leader_is_replaced_and_follows_when_healed(whole: DockerCluster) -> None:
    volumes = {volume.id for volume in engine().volumes.list()}
    old = leader(whole)
    whole.isolate(old)
    assert sorted(whole.status().cuts) == sorted([(old, n) for n in NAMES if n != old] + [(n, old) for n in NAMES if n != old])
    assert leader(whole, but=old) != old
    whole.heal()
    assert whole.status().cuts == ()
    wait_until(lambda: roles(whole).get(old) == "follower", "the old leader follows", limit_s=60)
    assert {volume.id for volume in engine().volumes.list()} <= volumes, "what makes a cut leaves nothing behind"


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
    whole.start(first)
    whole.pause(second)
    assert states(whole)[second] == "paused"
    with pytest.raises(ClusterError, match="broker-a-2 is paused; `mq cluster resume`"):
        whole.start(second)
    whole.resume(second)
    whole.stop(third)
    assert states(whole)[third] == "stopped"
    assert any("serves on" in line for line in whole.logs(third))
    whole.start(third)
    await_calm(whole)


def test_a_wiped_node_has_nothing_and_gets_all_again(whole: DockerCluster) -> None:
    victim = next(name for name in NAMES if name != leader(whole))
    with pytest.raises(ClusterError, match=f"{victim} is running; `mq cluster kill` ends it"):
        whole.wipe(victim)
    whole.kill(victim)
    whole.wipe(victim)
    image, volume = engine().containers.get(container(whole, victim)).attrs["Config"]["Image"], container(whole, victim)
    found = engine().containers.run(
        image, ["-A", "/var/lib/mq"], entrypoint=["ls"], volumes={volume: {"bind": "/var/lib/mq", "mode": "ro"}}, remove=True
    )
    assert found == b""
    whole.start(victim)
    await_calm(whole)


def test_what_containers_cannot_do_is_said(whole: DockerCluster) -> None:
    with pytest.raises(ClusterError, match="containers cannot be delayed"):
        whole.delay(NAMES[0], NAMES[1], 50)
    with pytest.raises(ClusterError, match="there is no node 'broker-a-9'"):
        whole.kill("broker-a-9")
    with pytest.raises(ClusterError, match="broker-a-1 was started without a place for faults"):
        whole.play(NAMES[0], Faults(is_full=True))


def test_the_commands_find_a_cluster_of_containers_and_what_is_stored_outlives_them(image: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "cluster")
    up = ("cluster", "up", "--dir", folder, "--backend", "docker", "--image", image, "--nodes", "1", "--port", "0", "-o", "json")
    ran = run_mq(*up, limit_s=120)
    assert ran.code == 0, ran
    try:
        (node,) = ran.json["nodes"]
        assert node["container"].endswith("-broker-a-1")
        assert "pid" not in node
        mq_sooner_or_later("topic", "create", "bread", "--endpoint", ran.json["endpoint"])
        again = run_mq(*up)
        assert "is up already" in again.err
        mq_sooner_or_later("cluster", "kill", "leader", "--dir", folder)
        assert run_mq("cluster", "status", "--dir", folder, "-o", "json").json["nodes"][0]["state"] == "stopped"
        assert run_mq("cluster", "down", "--dir", folder).code == 0
        assert "serves on" in (Path(folder) / "logs" / "broker-a-1.log").read_text(), "what a container said outlives it"
        endpoint = ran.json["endpoint"]
        ran = run_mq("cluster", "up", "--dir", folder, "-o", "json", limit_s=120)
        assert ran.code == 0, ran
        assert [(n["name"], "container" in n) for n in ran.json["nodes"]] == [("broker-a-1", True)], "as it was made"
        assert ran.json["endpoint"] == endpoint
        found = run_mq("topic", "list", "--endpoint", ran.json["endpoint"], "-o", "json")
        assert "bread" in json.dumps(found.json)
    finally:
        assert run_mq("cluster", "down", "--volumes", "--dir", folder).code == 0
    label, client = of_cluster(Path(folder)), engine()
    assert client.containers.list(all=True, filters=label) == []
    assert client.networks.list(filters=label) == client.volumes.list(filters=label) == []


def test_what_an_earlier_cluster_stored_is_not_taken_for_a_new_ones(image: str, tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    up = ("cluster", "up", "--dir", str(folder), "--backend", "docker", "--image", image, "--nodes", "1", "--port", "0")
    assert run_mq(*up, limit_s=120).code == 0
    kept = folder.rename(tmp_path / "moved away")
    try:
        again = run_mq(*up)
        assert again.code != 0
        assert "has what an earlier cluster of a folder of that name left" in again.err
        assert len(engine().containers.list(filters=of_cluster(folder))) == 1, "and it runs as before"
    finally:
        if folder.exists():
            shutil.rmtree(folder)
        kept.rename(folder)
        assert run_mq("cluster", "down", "--volumes", "--dir", str(folder)).code == 0
    assert engine().volumes.list(filters=of_cluster(folder)) == []


def test_an_up_that_fails_takes_back_what_it_made(image: str, tmp_path: Path) -> None:
    folder, bad = tmp_path / "cluster", tmp_path / "bad.py"
    bad.write_text("raise RuntimeError('no flour left')\n")
    up = ("cluster", "up", "--dir", str(folder), "--backend", "docker", "--image", image, "--nodes", "1", "--port", "0")
    ran = run_mq(*up, "--parts", str(bad), limit_s=120)
    label, client = of_cluster(folder), engine()
    left = [*client.containers.list(all=True, filters=label), *client.volumes.list(filters=label)]
    try:
        assert (ran.code, "no flour left" in ran.err) == (1, True), ran
        assert left == client.networks.list(filters=label) == []
        assert {file.name for file in folder.iterdir()} == {"lock", "logs"}
        assert "no flour left" in (folder / "logs" / "broker-a-1.log").read_text()
    finally:
        if (folder / "cluster.json").exists():
            run_mq("cluster", "down", "--volumes", "--dir", str(folder))


def test_a_missing_image_is_named_with_what_makes_it(image: str, tmp_path: Path) -> None:
    ran = run_mq("cluster", "up", "--dir", str(tmp_path / "c"), "--backend", "docker", "--image", "raftmq-nowhere:1")
    assert ran.code != 0
    assert "there is no image raftmq-nowhere:1: docker build -t raftmq-nowhere:1 -f docker/Dockerfile ." in ran.err
