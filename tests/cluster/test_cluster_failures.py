"""What somebody is told whose cluster, or one node of it, does not start."""

import socket
from pathlib import Path

import pytest

from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.address import parse_address
from tests.cluster.test_local_cluster import STAND_IN, ask, cluster, folder, processes_of, states, up

__all__ = ["cluster", "folder"]  # fixtures


@pytest.mark.parametrize("field", ["client", "peer"])
def test_a_start_says_which_port_another_program_has_taken(cluster: LocalCluster, field: str) -> None:
    cluster.kill("broker-a-2")
    place = parse_address(getattr(ClusterFile.read(cluster.folder).nodes[1], field), field)
    with socket.create_server(place):
        told = f"port {place[1]} of broker-a-2 is taken by another program; end it, and start broker-a-2 again"
        with pytest.raises(ClusterError, match=told):
            cluster.start("broker-a-2")
    assert cluster.start("broker-a-2") is True


def test_of_a_start_that_fails_its_own_last_words_are_shown_and_no_earlier_ones(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(ClusterError) as caught:
            up(folder, "--dies", "2")
        assert str(caught.value).count("no flour left") == 1
    made = up(folder)
    made.kill("broker-a-2")
    made._file.command += ["--dies", "2"]
    with pytest.raises(ClusterError) as caught:
        made.start("broker-a-2")
    assert str(caught.value).count("no flour left") == 1
    made.down()


def test_a_node_that_ended_by_itself_is_told_from_one_that_was_ended(folder: Path) -> None:
    made = up(folder)
    made.kill("broker-a-1")
    made.stop("broker-a-2")
    process = made._needed("broker-a-3")
    process.kill()
    assert states(made) == ["stopped"] * 3
    assert [node.has_ended_itself for node in made.status().nodes] == [False, False, True]
    assert made.start("broker-a-1") is True
    made.down()
    assert not any(node.has_ended_itself for node in made.status().nodes)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("mine.py", "class Rfat:\n    pass\n", "has none of the classes Raft, CommitLog"),
        ("mine.py", "import sys\nimport os\nos._exit(3)\n", "the import of .*mine.py: it was ended there at once"),
        ("nosuch.py", "", "there is no file .*nosuch.py .seen from "),
        ("no.module", "", "'no.module' is no folder, no file, and no module"),
    ],
)
def test_organs_are_tried_before_a_node_starts(
    name: str,
    text: str,
    told: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if text:
        (tmp_path / name).write_text(text)
    with pytest.raises(ClusterError, match=f"parts: .*{told}"):
        LocalCluster.up(folder, ClusterPlan(base_port=0, parts={"2": name}), ask=ask)
    assert {file.name for file in folder.iterdir()} == {"lock"}
    assert processes_of(folder) == []


def test_a_node_with_organs_may_be_given_by_its_number(folder: Path) -> None:
    made = LocalCluster.up(folder, ClusterPlan(command=STAND_IN, base_port=0, parts={"2": "some.module"}), ask=ask)
    assert [node.parts for node in made.status().nodes] == ["", "some.module", ""]
    made.down()
