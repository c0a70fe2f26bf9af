"""`mq cluster`: what it refuses, and in which words. What it does is tried with processes in tests/cluster."""

from pathlib import Path

import pytest

from mq.cli.main import main
from mq.cluster import opening
from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.plan import ClusterPlan


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("up",), "Missing option '--dir'"),
        (("up", "--dir", "d", "--groups", "2"), "2: more than one group comes with stage 2"),
        (("up", "--dir", "d", "--registries", "1"), "1: registry nodes come with stage 2"),
        (("up", "--dir", "d", "--nodes", "8"), "nodes: 8 is outside of 1 to 7"),
        (("up", "--dir", "d", "--base-port", "-1"), "-1 is not in the range"),
        (("up", "--dir", "d", "--set", "x"), "'x' is not NAME=VALUE, such as segment_bytes=1MiB"),
        (("up", "--dir", "d", "--set", "colour=red"), "colour: there is no such field"),
        (("up", "--dir", "d", "--set", "node=2"), "node: a cluster sets this itself"),
        (("up", "--dir", "d", "--image", "bakery:1"), "--image: local processes are made from no image"),
        (("kill", "--dir", "d"), "Missing argument 'NODE'"),
        (("cut", "--dir", "d", "broker-a-1"), "Missing argument 'B'"),
        (("explode", "--dir", "d"), "No such command 'explode'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told_and_starts_nothing(
    arguments: tuple[str, ...], text: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(("cluster", *arguments)) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert text in err
    assert not (tmp_path / "d" / "cluster.json").exists()


def test_what_does_nothing_for_a_kind_of_cluster_is_refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(("cluster", "up", "--dir", str(tmp_path / "new"), "--backend", "docker", "--direct")) == 1
    told = "mq: --direct: containers have nothing between them, and can be cut all the same; leave the flag out\n"
    assert capfd.readouterr().err == told
    assert not (tmp_path / "new").exists()
    ClusterPlan(base_port=0).make(tmp_path).write()
    assert main(("cluster", "down", "--volumes", "--dir", str(tmp_path))) == 2
    told = f"--volumes: local processes have none; what these stored is in {tmp_path / 'data'}, and yours to delete"
    assert told in capfd.readouterr().err
    assert main(("cluster", "down", "--dir", str(tmp_path))) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("down",), ("status",), ("start", "n"), ("stop", "n"), ("kill", "n"), ("pause", "n"), ("resume", "n"), ("isolate", "n"),
        ("cut", "a", "b"), ("delay", "a", "b", "5ms"), ("heal",), ("logs", "n"),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_a_folder_without_a_cluster_is_told_by_every_verb(
    arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(("cluster", arguments[0], "--dir", str(tmp_path), *arguments[1:])) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"mq: there is no cluster in {tmp_path}; `mq cluster up --dir {tmp_path}` makes one\n"
    assert not list(tmp_path.iterdir())


def test_to_start_a_node_that_runs_is_refused_and_says_which_ones_are_stopped(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"broker-a-1": "running", "broker-a-2": "stopped", "broker-a-3": "paused"}
    started: list[str] = []

    class StandIn:
        def status(self) -> ClusterStatus:
            nodes = (
                NodeInfo(name, "broker-a", number, "", "", "", state) for number, (name, state) in enumerate(states.items(), 1)
            )
            return ClusterStatus(tuple(nodes), "running")

        def start(self, name: str) -> bool:
            started.append(name)
            return True

    monkeypatch.setattr(opening, "cluster_in", lambda _folder: StandIn())
    assert main(("cluster", "start", "broker-a-1", "--dir", str(tmp_path))) == 1
    assert capfd.readouterr().err == "mq: broker-a-1 is not stopped; stopped now: broker-a-2\n"
    assert started == []
    assert main(("cluster", "start", "broker-a-2", "--dir", str(tmp_path))) == 0
    assert started == ["broker-a-2"]
