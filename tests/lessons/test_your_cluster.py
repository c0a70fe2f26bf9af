"""The cluster of a lesson: nothing of it is left, however the lesson ends; and what its pictures are made of."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from lessons import cluster_roles, your_cluster
from lessons.cluster_guard import Guard, end_left_behind
from lessons.cluster_pictures import troubles
from lessons.cluster_roles import DEAD, Roles
from lessons.your_cluster import YourCluster
from mq.cluster.errors import ClusterError

ROOT = Path(__file__).resolve().parent.parent.parent
ENDED_S_MAX = 120.0
UP = """
import sys
from pathlib import Path
from lessons import your_cluster
your_cluster.TOP = Path(sys.argv[1])
cluster = your_cluster.YourCluster("processes").up()
print("up", flush=True)
sys.stdin.read()
"""


def wait_until(is_so: Callable[[], Any], what: str) -> None:
    end_s = time.monotonic() + ENDED_S_MAX
    while not is_so():
        assert time.monotonic() < end_s, f"not within {ENDED_S_MAX:g} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clusters of this test are."""
    monkeypatch.setattr(your_cluster, "TOP", tmp_path)
    return tmp_path


def processes_of(folder: Path) -> list[psutil.Process]:
    """Those that were started for a cluster below that folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words) and process.pid != psutil.Process().pid:
            found.append(process)
    return found


def _fail_in_a_day(cluster: YourCluster, top: Path, what: type[BaseException]) -> None:
    with cluster.day("a day", seconds=30) as day:
        cluster.pause(cluster.leader())
        assert len(processes_of(top)) >= 7, "three brokers, a proxy, a guard, two clients"
        assert day.consumed
        raise what


@pytest.mark.slow
def test_whatever_is_raised_in_a_day_nothing_is_left_and_the_next_day_has_a_new_cluster(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(your_cluster, "Live", lambda _: lambda _: None)
    cluster = YourCluster()
    for what in (KeyboardInterrupt, ValueError):
        with pytest.raises(what):
            _fail_in_a_day(cluster, top, what)
        assert processes_of(top) == []
        assert list(top.iterdir()) == []
    with pytest.raises(ClusterError, match="is not up"):
        cluster.leader()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a kernel is not killed like that there")
def test_when_its_kernel_is_killed_the_cluster_ends(top: Path) -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-c", UP, str(top)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert kernel.stdout is not None
    assert kernel.stdin is not None
    assert kernel.stdout.readline() == "up\n"
    assert len(processes_of(top)) >= 5
    kernel.kill()
    kernel.communicate()
    wait_until(lambda: not processes_of(top), "brokers, proxy and guard have ended")
    wait_until(lambda: not list(top.iterdir()), "their folder is gone")


def test_a_folder_is_left_alone_while_it_has_a_guard_and_ended_when_it_has_none(tmp_path: Path) -> None:
    guarded, left = tmp_path / "cluster-1", tmp_path / "cluster-2"
    guard = Guard(guarded)
    left.mkdir()
    assert end_left_behind(tmp_path) == 0, "no broker ran"
    assert guarded.is_dir()
    assert not left.exists()
    guard.let_go()
    assert list(tmp_path.iterdir()) == []


def test_a_guard_that_cannot_begin_says_why(tmp_path: Path) -> None:
    (tmp_path / "cluster-1").mkdir()
    with pytest.raises(ClusterError, match="FileExistsError"):
        Guard(tmp_path / "cluster-1")


def test_where_there_are_no_containers_it_is_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(your_cluster, "why_no_containers", lambda: "no Docker engine answers")
    assert YourCluster("docker").runs_in == "processes"
    assert capsys.readouterr().out == "no containers (no Docker engine answers): processes it is\n"
    monkeypatch.setattr(your_cluster, "why_no_containers", lambda: "")
    assert YourCluster("docker").runs_in == "docker"
    with pytest.raises(ValueError, match="not in 'dokcer'"):
        YourCluster("dokcer")


def line(at_us: int, node: str, name: str, details: str) -> str:
    return f"{at_us // 1000:010}ms  {node}    {name:15} {details} us={at_us}\n"


def test_roles_are_read_from_traces_while_these_are_written(tmp_path: Path) -> None:
    now_s = time.monotonic()
    at_us = [int((now_s - 5 + second) * 1e6) for second in range(5)]
    file = tmp_path / "broker-a-1.trace"
    lines = [
        line(at_us[0], "n1", "start", "term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2,3"),
        line(at_us[1], "n1", "role", "role=leader term=1 leader=1"),
        line(at_us[2], "n1", "role", "role=follower term=2 leader=2"),
    ]
    file.write_text(lines[0] + lines[1] + lines[2][:20], encoding="utf-8")
    roles = Roles(tmp_path)
    roles.look()
    assert [(role.role, role.term) for role in roles.of[1]] == [("follower", 0), ("leader", 1)]
    file.write_text("".join(lines), encoding="utf-8")
    roles.dies(1)
    spans = roles.spans(1, now_s - 4.5, now_s + 60)
    assert [role.role for *_, role in spans] == ["follower", "leader", "follower", DEAD]
    assert spans[0][0] == now_s - 4.5, "what was before is not drawn"
    assert spans[-1][1] == now_s + 60


def look_at_a_long_life(folder: Path, monkeypatch: pytest.MonkeyPatch, *, now_s: float, theirs_s: float) -> Roles:
    """Two brokers that began 300 s ago: one died soon, the other one has just written a line. theirs_s: now by their clock."""
    begun_us, now_us = int((theirs_s - 300) * 1e6), int(theirs_s * 1e6)
    begin = "term=0 vote=- first=1 last=0 last_term=0 snapshot=0 members=1,2"
    lines = {
        1: line(begun_us, "n1", "start", begin)
        + line(begun_us + 1_000_000, "n1", "role", "role=leader term=1 leader=1")
        + line(now_us - 50_000, "n1", "send", "id=9 kind=append-request to=n2 term=1"),
        2: line(begun_us, "n2", "start", begin),
    }
    for number, text in lines.items():
        (folder / f"broker-a-{number}.trace").write_text(text, encoding="utf-8")
    monkeypatch.setattr(cluster_roles, "time", SimpleNamespace(monotonic=lambda: now_s))
    roles = Roles(folder)
    roles.look()
    return roles


def test_who_first_looks_long_after_the_start_finds_the_roles_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = look_at_a_long_life(tmp_path, monkeypatch, now_s=5000.0, theirs_s=5000.0)
    assert roles.shift_s == 0.0, "an old first line is no other clock"
    assert [role.at_s for role in roles.of[1]] == [4700.0, 4701.0]


@pytest.mark.parametrize("theirs_s", [400.0, 90_000.0])
def test_a_trace_by_another_machines_clock_is_moved_to_ours_by_its_newest_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs_s: float
) -> None:
    roles = look_at_a_long_life(tmp_path, monkeypatch, now_s=5000.0, theirs_s=theirs_s)
    assert roles.shift_s == pytest.approx(5000.0 - theirs_s, abs=0.1)
    assert [role.at_s for role in roles.of[1]] == pytest.approx([4700.0, 4701.0], abs=0.1)
    with (tmp_path / "broker-a-2.trace").open("a", encoding="utf-8") as file:
        file.write(line(1_000, "n2", "role", "role=follower term=1 leader=1"))
    before_s = roles.shift_s
    roles.look()
    assert roles.shift_s == before_s, "clocks are compared once: what was drawn stays where it is"


def test_what_was_done_to_a_broker_lasts_until_it_is_undone() -> None:
    events = [
        (1.0, "b-1 stands still"),
        (2.0, "b-2 is cut off"),
        (3.0, "b-1 goes on"),
        (4.0, "all hear all again"),
        (5.0, "b-2 is cut off"),
    ]
    day: Any = SimpleNamespace(events=events)
    assert troubles(day, "b-1", 9.0) == [(1.0, 3.0, "still")]
    assert troubles(day, "b-2", 9.0) == [(2.0, 4.0, "cut"), (5.0, 9.0, "cut")]
    assert troubles(day, "b-3", 9.0) == []
