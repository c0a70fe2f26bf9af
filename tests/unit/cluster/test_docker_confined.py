"""What is planned for confined containers, without an engine; and that all others are as they were."""

import io
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mq.cluster.docker_confined import confined_options, read_kept, volume_options
from mq.cluster.docker_plan import make, mounts_of, moved, settings_of
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.plan import ClusterPlan


def test_confined_nodes_are_where_clients_come_to_and_nothing_of_this_machine_leads_there(tmp_path: Path) -> None:
    made = make(tmp_path, ClusterPlan(base_port=0, is_confined=True, given={"/mine.py": "/theirs.py"}), "image")
    made.write()
    again = ClusterFile.read(tmp_path)
    settings = settings_of(again, "broker-a-2")
    clients = [node.client for node in again.nodes]
    assert settings["MQ_BROKER_ADVERTISE"] == ",".join(clients)
    assert all(client.startswith("10.") and client.endswith(":8081") for client in clients)
    assert not any("OUTSIDE" in name for name in settings)
    assert mounts_of(again, "broker-a-2")["/mine.py"] == {"bind": "/theirs.py", "mode": "ro"}
    elsewhere = moved(again.nodes, "10.1.2.0/24")
    assert [node.client for node in elsewhere] == ["10.1.2.11:8081", "10.1.2.12:8081", "10.1.2.13:8081"]


def test_trusted_ones_have_neither_limits_nor_addresses_of_containers(tmp_path: Path) -> None:
    made = make(tmp_path, ClusterPlan(base_port=0), "image")
    assert confined_options(made.docker) == {}
    assert volume_options(made.docker) == {}
    assert moved(made.nodes, "10.1.2.0/24")[0].client == made.nodes[0].client
    assert "MQ_BROKER_LISTEN_OUTSIDE" in settings_of(made, "broker-a-1")


def an_engine(kind: bytes = tarfile.REGTYPE, data: bytes = b"a line\n", **about: Any) -> Any:
    """As the SDK has one, which gives this file away."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        member = tarfile.TarInfo("file")
        member.type, member.linkname = kind, "/etc/passwd" if kind == tarfile.SYMTYPE else ""
        member.size = len(data) if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(data))
    found = {"size": len(data), "linkTarget": "", **about}
    keeper = SimpleNamespace(get_archive=lambda _path: (iter([whole.getvalue()]), found))
    return SimpleNamespace(containers=SimpleNamespace(get=lambda _name: keeper))


def test_what_a_node_left_is_read_as_data() -> None:
    assert read_kept(an_engine(), "raftmq-x", "broker-a-1/traces/a.trace", 100) == b"a line\n"


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (an_engine(linkTarget="/etc/passwd"), "is a link"),
        (an_engine(tarfile.SYMTYPE), "is no plain file"),
        (an_engine(tarfile.DIRTYPE), "is no plain file"),
        (an_engine(size=101), "larger than 100 bytes"),
        (an_engine(data=bytes(2 << 20), size=7), "larger than 100 bytes"),
    ],
)
def test_links_folders_and_floods_are_refused(engine: Any, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        read_kept(engine, "raftmq-x", "broker-a-1/traces/a.trace", 100)
