"""What a cluster is to be, before anything of it is there."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, write_json
from mq.cluster.plan import ClusterPlan
from mq.cluster.ports import PortPicker
from mq.core.errors import IllegalArgumentError, MqError
from mq.server.config import load_config


def test_a_plan_names_nodes_by_group_and_gives_each_its_own_ports(tmp_path: Path) -> None:
    made = ClusterPlan(groups=2, nodes=3, base_port=0).make(tmp_path)
    assert [(n.name, n.group, n.node) for n in made.nodes] == [
        (f"broker-{group}-{node}", f"broker-{group}", node) for group in "ab" for node in (1, 2, 3)
    ]
    ports = [int(place.rpartition(":")[2]) for n in made.nodes for place in (n.client, n.peer)]
    ports += [made.control, *made.proxy_ports().values()]
    assert len(set(ports)) == 12 + 1 + 12
    assert len(made.links()) == 12, "only nodes of one group talk to each other"
    assert not list(tmp_path.iterdir()), "a plan makes nothing"


def test_a_cluster_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = ClusterPlan(base_port=0, settings={"segment_bytes": "1MiB"}, parts={"": "a.module"}).make(tmp_path)
    made.write()
    assert ClusterFile.read(tmp_path) == made
    assert set(made.parts) == {"broker-a-1", "broker-a-2", "broker-a-3"}
    direct = ClusterPlan(base_port=0, is_direct=True).make(tmp_path)
    assert (direct.token, direct.proxied) == ("", [])


def test_nodes_that_ask_for_the_secret_at_the_same_moment_get_the_same(tmp_path: Path) -> None:
    for number in range(20):
        made, start = ClusterPlan(base_port=0).make(tmp_path / f"{number}"), threading.Barrier(4)

        def secret(made: ClusterFile = made, start: threading.Barrier = start) -> str:
            start.wait(10)
            return made.secret_file().read_text()

        with ThreadPoolExecutor(4) as pool:
            found = {asked.result() for asked in [pool.submit(secret) for _ in range(4)]}
        assert len(found) == 1
        assert [file.name for file in made.folder.iterdir()] == ["cluster.secret"]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"nodes": 0}, "nodes: 0 is outside of 1 to 7"),
        ({"nodes": 8}, "nodes: 8 is outside of 1 to 7"),
        ({"groups": 27}, "groups: 27 is outside of 1 to 26"),
        ({"settings": {"peers": "x"}}, "peers: a cluster sets this itself"),
        ({"settings": {"replication": "solo"}}, "replication: a cluster copies by one of raft, master_slave"),
        ({"settings": {"copy": "sync"}}, "copy: only a master and its slaves copy so"),
        ({"settings": {"tick_ms": "5"}}, r"tick_ms: 5 is outside of 10 to 1000 \(--tick-ms\)"),
        ({"parts": {"broker-a-9": "x"}}, "there is no node 'broker-a-9'"),
        ({"base_port": 65530}, "base port 65530: 3 nodes need ports up to 65560, and 65535 is the last"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path: Path, wanted: dict[str, Any], text: str) -> None:
    with pytest.raises(MqError, match=text):
        ClusterPlan(**{"base_port": 0, **wanted}).make(tmp_path)


def test_every_setting_that_a_cluster_makes_itself_is_one_of_the_brokers() -> None:
    for name in ("data", "listen", "peers", "peer_listen", "cluster_secret", "metrics_listen"):
        with pytest.raises(IllegalArgumentError, match=f"{name}: a cluster sets this itself"):
            ClusterPlan(settings={name: "x"})
        assert hasattr(load_config(None, {}, {"data": "d"}), name)


def test_a_taken_port_of_the_usual_row_is_replaced_and_one_that_was_asked_for_is_not(tmp_path: Path) -> None:
    with PortPicker(tmp_path) as ports, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (other,) = ports.row(port - 10, 1, is_needed=False)
        assert other != port
        assert not ports.take(other), "it is held"
        with pytest.raises(ClusterError, match=f"port {port} is taken"):
            ports.row(port - 10, 1, is_needed=True)
    with PortPicker(tmp_path) as ports:
        assert ports.take(other), "it was let go"


def test_a_port_that_was_given_out_lately_is_not_given_to_another_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PortPicker(tmp_path) as ports:
        first = ports.any()
    monkeypatch.setattr("mq.cluster.ports.secrets.randbelow", lambda _count: first - 12_000)
    with PortPicker(tmp_path) as ports, pytest.raises(ClusterError, match="no free port between"):
        ports.any()
    monkeypatch.setattr("mq.cluster.ports._CLAIM_S", 0.0)
    with PortPicker(tmp_path) as ports:
        assert ports.any() == first, "the claim is over"


@pytest.mark.parametrize("content", ["{", "[]", '{"12000": "soon"}', '{"12000": 1e300}'])
def test_damaged_claims_are_no_hindrance(tmp_path: Path, content: str) -> None:
    (tmp_path / "claims.json").write_text(content)
    with PortPicker(tmp_path) as ports:
        port = ports.any()
    assert list(json.loads((tmp_path / "claims.json").read_text())) == [str(port)]
    (tmp_path / "file").touch()
    with PortPicker(tmp_path / "file" / "below") as ports:
        assert ports.any()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, r"there is no cluster in .*; `mq cluster up --dir .*` makes one"),
        ("[]", "is not what it should be"),
        ("{", "cannot be read"),
        ('{"format": 2}', "is of another version of mq"),
        ('{"format": 1}', "is not what it should be"),
        ('{"format": 1, "nodes": [{"name": 5}], "proxied": []}', "is not what it should be"),
    ],
)
def test_a_folder_without_a_cluster_or_with_a_broken_one_is_told(tmp_path: Path, content: str | None, text: str) -> None:
    if content is not None:
        (tmp_path / "cluster.json").write_text(content)
    with pytest.raises(ClusterError, match=text):
        ClusterFile.read(tmp_path)


def test_a_file_is_replaced_as_a_whole_and_private(tmp_path: Path) -> None:
    file = tmp_path / "inner" / "file.json"
    write_json(file, {"a": 1})
    write_json(file, {"a": 2})
    assert json.loads(file.read_text()) == {"a": 2}
    assert [each.name for each in file.parent.iterdir()] == ["file.json"]
