"""`mq cluster`: what it refuses, and in which words. What it does is tried with processes in tests/cluster."""

from pathlib import Path

import pytest

from mq.cli.cluster_status import show_status
from mq.cli.main import main
from mq.cluster import opening
from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.plan import ClusterPlan


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("up",), "Missing option '--dir'"),
        (("up", "--dir", "d", "--groups", "27"), "groups: 27 is outside of 1 to 26"),
        (("up", "--dir", "d", "--registries", "10"), "registries: 10 is outside of 0 to 9"),
        (("up", "--dir", "d", "--groups", "2", "--registries", "0"), "clients find 2 groups by a registry node, so at least 1"),
        (("up", "--dir", "d", "--set", "registry=a:1"), "registry: a cluster sets this itself"),
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


def test_of_an_up_that_failed_there_are_logs(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--dir", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "broker-a-1.log").write_text("no flour left\n")
    assert main(("cluster", "logs", *where, "broker-a-1")) == 0
    assert capfd.readouterr().out == "no flour left\n"
    assert main(("cluster", "logs", *where, "../lock")) == 1
    assert capfd.readouterr().err == f"mq: there is no cluster in {tmp_path}, and no log of '../lock'; there are broker-a-1\n"
    assert main(("cluster", "status", *where)) == 1
    assert capfd.readouterr().err.endswith(f"what an `up` that failed left: `mq cluster logs NODE --dir {tmp_path}`\n")


def three(*states: str, ended: str = "") -> ClusterStatus:
    """A group of which nobody answers."""
    nodes = (
        NodeInfo(
            f"broker-a-{n}", "broker-a", n, "127.0.0.1:1", f"127.0.0.1:1093{n}", "", state,
            has_ended_itself=f"broker-a-{n}" == ended,
        )
        for n, state in enumerate(states, 1)
    )  # fmt: skip
    return ClusterStatus(tuple(nodes), "running")


def test_status_says_where_nodes_meet_who_ended_by_itself_and_that_too_few_run(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    show_status(three("stopped", "stopped", "running", ended="broker-a-2"), tmp_path, is_json=False)
    out, err = capfd.readouterr()
    assert out.splitlines()[0].split()[:5] == ["NODE", "STATE", "ROLE", "CLIENT", "PEER"]
    assert "127.0.0.1:10932" in out
    assert err.splitlines() == [
        f"broker-a-2 ended without a command of `mq cluster`; `mq cluster logs broker-a-2 --dir {tmp_path}` may say why",
        "broker-a has no leader: 1 of 3 nodes runs, and 2 are needed; clients are turned away (`mq cluster start NODE`)",
    ]
    show_status(three("running", "running", "stopped"), tmp_path, is_json=False)
    assert capfd.readouterr().err == "broker-a has no leader now: clients are turned away until it has\n"
    show_status(three("stopped", "stopped", "stopped"), tmp_path, is_json=False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("verb", [("cut", "broker-a-1", "1"), ("delay", "broker-a-1", "broker-a-1", "5ms")])
def test_a_node_is_not_cut_off_from_itself(verb: tuple[str, ...], capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ClusterPlan(base_port=0).make(tmp_path).write()
    assert main(("cluster", *verb, "--dir", str(tmp_path))) == 2
    assert "A and B are both broker-a-1: name two nodes" in capfd.readouterr().err


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


def test_a_folder_of_other_things_gets_no_cluster_and_no_secret(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "syllabus.md").touch()
    assert main(["cluster", "up", "--dir", str(tmp_path)]) == 1
    assert f"mq: {tmp_path} is neither empty nor of a cluster or a run of `mq chaos`" in capfd.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["syllabus.md"]


def test_an_organ_that_the_variable_names_is_tried_before_anything_starts(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQ_PARTS", "mine/nowhere.py")
    assert main(["cluster", "up", "--dir", str(tmp_path / "new")]) != 0
    told = capfd.readouterr().err
    assert "all nodes have organs of MQ_PARTS, mine/nowhere.py" in told
    assert "parts: there is no file mine/nowhere.py" in told
