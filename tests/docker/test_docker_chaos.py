"""`mq chaos --backend docker`: the same faults and the same judge as with local processes, against containers."""

import re
from pathlib import Path

import pytest

from mq.chaos.history import History
from mq.chaos.plan import WEIGHTS
from mq.chaos.report import HISTORY, TRACES
from mq.cluster.docker_engine import engine
from mq.cluster.files import ClusterFile
from mq.cluster.opening import cluster_in
from tests.cluster.broker_process import run_mq
from tests.docker.test_docker_cluster import of_cluster

SECONDS = 20
PROCESSES, NETWORK, PLAYED = (
    ("kill", "pause", "wiped-node"),
    ("isolate", "cut-one-way"),
    ("disk-full", "sync-error", "clock-jump"),
)


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, text
    return int(found[1])


def left_of(folder: Path) -> list[object]:
    label, client = of_cluster(folder), engine()
    found = [*client.containers.list(all=True, filters=label), *client.networks.list(filters=label)]
    return [*found, *client.volumes.list(filters=label)]


@pytest.mark.timeout(400)  # making containers and draining what was sent is no quick matter on a busy machine
def test_a_short_run_against_containers_loses_nothing_and_their_traces_keep_the_rules(image: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    only = [part for kind in (*PROCESSES, *NETWORK, *PLAYED) for part in ("--only", f"{kind}={WEIGHTS[kind]}")]
    run = ("chaos", "--dir", str(folder), "--backend", "docker", "--image", image, "--seed", "5", "--seconds", str(SECONDS))
    try:
        done = run_mq(*run, "--keep", *only, limit_s=350)
        told = f"{done.out}\n{done.err}"
        assert done.code == 0, told
        assert "FAILED" not in done.out
        assert number(r"faults +(\d+):", done.out) >= 2, told
        assert number(r"messages +(\d+) acknowledged", done.out) >= 100, told
        assert number(r"Raft's rules \((\d+) events", done.out) >= 1000, told
        assert re.search(rf"nodes +3, containers of Docker [\d.]+\S*, image {image} \w+", done.out), told
        assert "left out" not in done.out, "containers can do all that processes can"
        history = History.read(folder / HISTORY)
        assert {one.kind for one in history.faults} <= {*PROCESSES, *NETWORK, *PLAYED}
        assert all(any(one.group == group for one in history.receives) for group in history.drained)
        names = [node.name for node in ClusterFile.read(folder).nodes]
        assert sorted(file.stem for file in (folder / TRACES).glob("broker-*.trace")) == names, "every node wrote a trace"
        assert engine().containers.list(all=True, filters=of_cluster(folder)) == [], "made for this run, and gone after it"
    finally:
        cluster_in(folder).remove()
    assert left_of(folder) == []


@pytest.mark.night
@pytest.mark.timeout(400)
def test_a_cluster_that_runs_is_used_as_it_is_and_what_it_cannot_play_is_said(image: str, tmp_path: Path) -> None:
    folder = tmp_path / "trio"
    up = run_mq("cluster", "up", "--dir", str(folder), "--backend", "docker", "--image", image, "--port", "0", limit_s=150)
    assert up.code == 0, up
    try:
        other = run_mq("chaos", "--dir", str(folder), "--backend", "local")
        assert (other.code, "holds a cluster of the docker backend" in other.err) == (1, True), other
        nothing = run_mq("chaos", "--dir", str(folder), "--only", "disk-full")
        assert (nothing.code, "cannot play disk-full" in nothing.err) == (1, True), nothing
        done = run_mq("chaos", "--dir", str(folder), "--seconds", "1", "--only", "kill", "--only", "sync-error", limit_s=200)
        assert done.code == 0, f"{done.out}\n{done.err}"
        assert re.search(r"faults +\d+: kill \d+\n", done.out), done
        assert "left out  sync-error: the nodes have no place for faults" in done.out
        assert "the nodes write no traces" in done.out
        assert [node.state for node in cluster_in(folder).status().nodes] == ["running"] * 3
    finally:
        cluster_in(folder).remove()
    assert left_of(folder) == []
