"""The Docker backend without an engine: its plan, its messages to the kernel, and what it says when there is none."""

import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from docker.errors import APIError

from mq.cluster import docker, docker_engine, docker_plan
from mq.cluster.docker_engine import engine, freeze
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.opening import cluster_in, cluster_up
from mq.cluster.plan import ClusterPlan
from mq.cluster.silence import neighbour_request
from mq.server.config import load_config
from mq.server.faults import Faults

if TYPE_CHECKING:
    from docker.models.containers import Container


def made(folder: Path) -> ClusterFile:
    return docker_plan.make(folder, ClusterPlan(base_port=0, settings={"segment_bytes": "1MiB"}), "raftmq:latest")


def test_every_node_is_told_both_lists_and_its_peers_by_name(tmp_path: Path) -> None:
    file = made(tmp_path)
    settings = docker_plan.settings_of(file, "broker-a-2")
    config = load_config(None, {**settings, "MQ_BROKER_DATA": "data"})
    subnet = file.docker["subnet"].rpartition(".")[0]
    assert config.advertise == tuple(f"{subnet}.{number}:8081" for number in (11, 12, 13))
    assert config.advertise_outside == tuple(node.client for node in file.nodes)
    assert config.peers == tuple(f"{number}=broker-a-{number}:10921" for number in (1, 2, 3))
    assert (config.node, config.segment_bytes) == (2, 1 << 20)
    assert config.own_of(config.advertised(8081), ("0.0.0.0", 8081)) == (f"{subnet}.12", 8081)


def test_clusters_of_two_folders_share_no_name(tmp_path: Path) -> None:
    names = {docker_plan.object_name(tmp_path / folder, "broker-a-1") for folder in ("one", "two")}
    assert len(names) == 2


def test_nodes_that_move_to_another_subnet_keep_all_else(tmp_path: Path) -> None:
    nodes = made(tmp_path).nodes
    moved = docker_plan.moved(nodes, "10.9.8.0/24")
    assert [node.peer for node in moved] == ["10.9.8.11:10921", "10.9.8.12:10921", "10.9.8.13:10921"]
    assert [(node.name, node.client) for node in moved] == [(node.name, node.client) for node in nodes]


def test_without_an_engine_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(ClusterError, match=r"no Docker engine answers .*; start one, or use --backend local"):
        engine()
    made(tmp_path).write()
    with pytest.raises(ClusterError, match="no Docker engine answers"):
        cluster_in(tmp_path)


def test_without_the_package_it_is_said_how_to_get_it_though_the_checkout_has_a_folder_of_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "docker").mkdir()
    for name in [name for name in sys.modules if name.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ClusterError) as caught:
        engine()
    assert str(caught.value) == f"the package `docker` is missing: {sys.executable} -m pip install 'docker>=7.2'"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_nodes_that_run_as_somebody_else_read_their_faults_and_write_traces_whatever_the_umask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docker, "engine", lambda: None)
    docker_plan.make(tmp_path, ClusterPlan(base_port=0, is_under_test=True), "raftmq:latest").write()
    before = os.umask(0o077)
    try:
        cluster = docker.DockerCluster(tmp_path)
        cluster._make_test_folders()
        cluster.play("broker-a-2", Faults(slow_ms=5))
    finally:
        os.umask(before)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("faults", "faults/broker-a-2.json", "traces")}
    assert modes == {"faults": 0o755, "faults/broker-a-2.json": 0o644, "traces": 0o777}


def test_a_folder_holds_one_kind_of_cluster(tmp_path: Path) -> None:
    file = made(tmp_path)
    file.write()
    assert ClusterFile.read(tmp_path) == file
    with pytest.raises(ClusterError, match=r"--backend local: .* holds a cluster of the docker backend; give another --dir"):
        ClusterFile.read(tmp_path).check_backend("local")


def test_an_up_without_a_backend_takes_the_one_that_the_folder_was_made_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    made(tmp_path).write()
    with pytest.raises(ClusterError, match="no Docker engine answers"):
        cluster_up(tmp_path, ClusterPlan())
    with pytest.raises(ClusterError, match=r"--backend local: .* holds a cluster of the docker backend"):
        cluster_up(tmp_path, ClusterPlan(), backend="local")


def test_a_message_to_the_kernel_names_its_length_the_interface_the_address_and_nobody() -> None:
    message = neighbour_request(28, 0x504, 7, "10.1.2.3")
    length, kind, flags = struct.unpack_from("=IHH", message)
    assert (length, kind, flags) == (len(message), 28, 0x505)
    family, interface, state = struct.unpack_from("=BxxxiH", message, 16)
    assert (family, interface, state) == (2, 7, 0x80)
    assert bytes([8, 0, 1, 0, 10, 1, 2, 3]) in message
    assert bytes.fromhex("0a00020002deadbeef00") in message


class Restless:
    """A container that does not come to rest at once. refusals: what the engine says, one after the other."""

    name = "raftmq-1"

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.is_frozen = False

    def pause(self) -> None:
        if self.refusals:
            raise APIError("500", explanation=self.refusals.pop(0))
        self.is_frozen = True


def test_a_container_that_does_not_come_to_rest_is_told_again() -> None:
    container = Restless(*["OCI runtime pause failed: unable to freeze: unknown"] * 3)
    freeze(cast("Container", container))
    assert container.is_frozen


def test_any_other_refusal_of_a_pause_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    container = Restless("Container is not running")
    with pytest.raises(ClusterError, match="pausing raftmq-1: the engine refuses: Container is not running"):
        freeze(cast("Container", container))
    monkeypatch.setattr(docker_engine, "_FREEZE_S_MAX", 0.05)
    with pytest.raises(ClusterError, match="unable to freeze"):
        freeze(cast("Container", Restless(*["unable to freeze"] * 1000)))
