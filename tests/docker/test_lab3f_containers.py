"""Lab 3f for marks: a student's Raft in confined containers, and nothing of it is left behind."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labs.stage3_raft.lab3f_drive_it.containers import Containers
from labs.stage3_raft.lab3f_drive_it.runs import Drive
from labs.stage3_raft.lab3f_drive_it.seen import Seen
from labs.stage3_raft.lab3f_drive_it.verdict import TESTS
from mq.cluster.docker_engine import engine
from mq.cluster.docker_plan import CLUSTER_LABEL, NODE_LABEL, cluster_id, object_name
from mq.cluster.errors import ClusterError
from tests.labs.lab3f import GROWS, drive, passed
from tools.drives import FROM_BYTE_CODE, RIGHT, WRONG, whole_raft

ALL = [test.number for test in TESTS]
PYTHON = "/opt/raftmq/bin/python"
LOOKS_ROUND = """

def _look_round():
    import errno, os, socket
    def why(do):
        try: do()
        except OSError as error: return error.errno or "late"
    assert os.getuid() not in (0, 65534), os.getuid()
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"].strip() == "1", status
    for name in ("/x", "/opt/raftmq/x", "/parts/organs/x", __file__):
        assert why(lambda: open(name, "ab").close()) in (errno.EROFS, errno.EACCES), name
    for address in (("1.1.1.1", 53), ("8.8.8.8", 53)):
        assert why(lambda: socket.create_connection(address, 1)) is not None, address
    assert not os.path.exists("/var/run/docker.sock")
    if os.path.exists("/var/lib/mq/log"):
        found = os.statvfs("/var/lib/mq")
        assert found.f_frsize * found.f_blocks == 384 << 20, found


_look_round()
"""
"""Behind a Raft: what breaks here breaks the import, and no node starts."""


@pytest.fixture
def image_with_byte_code(image: str) -> Iterator[str]:
    """The same, but with what Python compiles of all our sources, as an image has it that was made in another way."""
    name = "raftmq-test:byte-code"
    recipe = f"FROM {image}\nUSER root\nRUN {PYTHON} -m compileall -q /opt/raftmq/lib/python3*/site-packages/mq\nUSER mq\n"
    engine().images.build(fileobj=io.BytesIO(recipe.encode()), tag=name, network_mode="none", rm=True)
    yield name
    engine().images.remove(name)


def left_of(folder: Path) -> list[str]:
    """What the engine has of a run's cluster."""
    wanted = {"label": f"{CLUSTER_LABEL}={cluster_id(folder / 'cluster')}"}
    found = engine()
    there: tuple[list[Any], ...] = (
        found.containers.list(all=True, filters={**wanted}),
        found.volumes.list(filters={**wanted}),
        found.networks.list(filters={**wanted}),
    )
    return [str(one.name) for some in there for one in some]


def in_containers(image: str, text: str, folder: Path, **more: Any) -> tuple[dict[str, Any], Seen]:
    found = drive(text, folder, hosts=Containers.checked(image), **more)
    assert left_of(folder) == []
    return found


@pytest.mark.timeout(600)
def test_the_class_of_labs_3a_to_3d_passes_confined_and_nothing_is_left(image: str, tmp_path: Path) -> None:
    looked_at: list[dict[str, Any]] = []

    def look(made: Drive, line: str) -> None:
        if "they serve" in line:
            wanted: dict[str, Any] = {"label": f"{CLUSTER_LABEL}={cluster_id(made.folder / 'cluster')}"}
            looked_at.extend(one.attrs for one in engine().containers.list(filters=wanted))

    text = whole_raft() + LOOKS_ROUND
    outcomes, seen = in_containers(image, text, tmp_path / "run", with_reference=False, say=look)
    assert passed(outcomes) == ALL, [one.message for one in outcomes.values()]
    assert len(looked_at) == 4, "three nodes, and who keeps what they store"
    held = [mount["Name"] for one in looked_at for mount in one["Mounts"] if mount["Type"] == "volume"]
    whose = object_name(tmp_path / "run" / "cluster")
    assert [name for name in held if not name.startswith(whose)] == [], "none that nobody removes"
    for attributes in (one for one in looked_at if NODE_LABEL in one["Config"]["Labels"]):
        limits = attributes["HostConfig"]
        assert (limits["Memory"], limits["MemorySwap"], limits["PidsLimit"], limits["NanoCpus"]) == (
            768 << 20,
            768 << 20,
            256,
            10**9,
        )
        assert limits["ReadonlyRootfs"]
        assert limits["CapDrop"] == ["ALL"]
        assert limits["PortBindings"] in ({}, None)
        writable = [mount["Destination"] for mount in attributes["Mounts"] if mount["RW"]]
        assert writable == ["/var/lib/mq"]
        hollow = [mount["Destination"] for mount in attributes["Mounts"] if "/mq/raft/" in mount["Destination"]]
        assert len(hollow) == 6, "five of our layers, and the byte code beside them"
    assert sorted(one.node for one in seen.organs) == [1, 2, 3]
    assert all(one.class_name == "parts_raft.Raft" and one.calls > 0 for one in seen.organs), seen.organs
    assert {json.loads(line)["what"] for line in (tmp_path / "run/witness/witness.jsonl").read_text().splitlines()} >= {
        "sent",
        "got",
    }
    assert len(list(seen.traces.glob("*.trace"))) == 4
    assert "raft" in (seen.logs / "broker-a-1.log").read_text()


@pytest.mark.timeout(600)
def test_who_runs_the_byte_code_of_our_layers_has_nothing(image_with_byte_code: str, tmp_path: Path) -> None:
    outcomes, seen = in_containers(image_with_byte_code, FROM_BYTE_CODE, tmp_path / "run", with_reference=False)
    assert passed(outcomes) == []
    assert "No such file or directory" in outcomes["1.1"].message
    assert "__pycache__/state." in outcomes["1.1"].message
    assert (seen.logs / "broker-a-1.log").is_file() or seen.steps["start"].why_not


@pytest.mark.timeout(600)
def test_of_a_container_whose_memory_ran_out_that_is_told_with_its_limit(image: str, tmp_path: Path) -> None:
    outcomes, _ = in_containers(image, whole_raft() + GROWS, tmp_path / "run", with_reference=False)
    told = next(one.message for one in outcomes.values() if not one.is_passed)
    assert "ended by itself: memory ran out: a node may use 768 MiB here" in told, told


def test_the_image_has_no_byte_code_of_our_raft(image: str) -> None:
    found = engine().containers.run(
        image,
        ["-c", "import pathlib, mq.raft; print(*pathlib.Path(mq.raft.__path__[0]).rglob('*.pyc'))"],
        entrypoint=[PYTHON],
        remove=True,
        network_mode="none",
        read_only=True,
        tmpfs={"/var/lib/mq": "size=1m"},
    )
    assert found.split() == []


def check_it_fails(image: str, name: str, folder: Path) -> None:
    text, said = WRONG[name]
    outcomes, seen = in_containers(image, text, folder)
    assert sum(one.points for one in outcomes.values()) <= 15
    first = next(one for one in outcomes.values() if not one.is_passed)
    assert said in first.message
    assert seen.logs.is_dir()


def test_without_its_image_nothing_is_run(image: str) -> None:
    assert image
    with pytest.raises(ClusterError, match="there is no image raftmq:nosuch"):
        Containers.checked("raftmq:nosuch")


@pytest.mark.night
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", RIGHT)
def test_every_right_raft_passes(image: str, name: str, tmp_path: Path) -> None:
    outcomes, _ = in_containers(image, RIGHT[name], tmp_path / "run")
    assert passed(outcomes) == ALL, [one.message for one in outcomes.values()]


@pytest.mark.night
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_raft_fails(image: str, name: str, tmp_path: Path) -> None:
    check_it_fails(image, name, tmp_path / "run")
