"""What a run refuses before anything happens, and what it leaves alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mq.chaos import run
from mq.chaos.history import History, Journal
from mq.chaos.injecting import Injector
from mq.chaos.notes import TraceNotes
from mq.chaos.report import HISTORY
from mq.chaos.run import ChaosPlan, run_chaos
from mq.chaos.setting import Progress
from mq.client.errors import UnreachableError
from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, locked
from mq.cluster.plan import ClusterPlan


class StandIn:
    """A cluster in a folder, as somebody sees it who looks. states: of its nodes."""

    runs_in, is_under_test = "a test", False

    def __init__(self, folder: Path, *states: str, **more: Any) -> None:
        self.folder, self.states, self.downs = folder, states, 0
        self.more = {"network": "running", **more}

    def status(self) -> ClusterStatus:
        nodes = (NodeInfo(f"broker-a-{n}", "broker-a", n, "c", "p", "", state) for n, state in enumerate(self.states, 1))
        return ClusterStatus(tuple(nodes), **self.more)

    def down(self) -> int:
        self.downs += 1
        return 0


Meet = Callable[..., StandIn]


@pytest.fixture
def meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Meet:
    """A cluster is in the test's folder, and this is how a run finds it."""

    def found(*states: str, is_under_test: bool = False, **more: Any) -> StandIn:
        ClusterPlan(nodes=len(states), base_port=0, is_under_test=is_under_test).make(tmp_path).write()
        made = StandIn(tmp_path, *states, **more)
        monkeypatch.setattr(run, "cluster_in", lambda _folder: made)
        return made

    return found


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """The weights of each run that began."""
    found: list[dict[str, int]] = []

    class NoRun:
        def __init__(self, _plan: ChaosPlan, weights: dict[str, int], *_: object) -> None:
            found.append(weights)

        async def go(self) -> None:
            """Nothing happens."""

    monkeypatch.setattr(run, "_Run", NoRun)
    return found


def plan(folder: Path, **more: Any) -> ChaosPlan:
    return ChaosPlan(folder=folder, seed=1, seconds=1.0, **more)


RUNNING = ("running",) * 3


@pytest.mark.parametrize(
    ("states", "more", "told"),
    [
        (("running",), {}, "was made with --nodes 1: chaos needs 3 or more, of which one can fail"),
        (("running", "running"), {}, "was made with --nodes 2: chaos needs 3 or more"),
        (("running", "stopped", "paused"), {}, "is broken already: broker-a-2 is stopped, broker-a-3 is paused"),
        (RUNNING, {"cuts": (("broker-a-1", "broker-a-2"),)}, "is broken already: something is cut or slow; `mq cluster heal"),
        (RUNNING, {"delays": (("broker-a-1", "broker-a-2", 5),)}, "is broken already: something is cut or slow"),
        (
            RUNNING,
            {"network": "direct"},
            r"is up without a proxy \(--direct\), so nothing can be cut: no isolate, cut, cut-one-way",
        ),
        (RUNNING, {"network": "stopped"}, "has no proxy that runs, so nothing can be cut"),
    ],
)
def test_a_cluster_that_cannot_bear_it_is_refused_at_once(
    states: tuple[str, ...], more: dict[str, Any], told: str, meet: Meet, runs: list[dict[str, int]]
) -> None:
    cluster = meet(*states, **more)
    with pytest.raises(ClusterError, match=told):
        run_chaos(plan(cluster.folder))
    assert (runs, cluster.downs) == ([], 0)
    assert {file.name for file in cluster.folder.iterdir()} <= {"cluster.json", "chaos.lock"}


def test_a_number_of_nodes_that_is_not_so_is_refused_by_its_flag(meet: Meet, runs: list[dict[str, int]]) -> None:
    cluster = meet(*RUNNING)
    with pytest.raises(ClusterError, match=r"--nodes 5: the cluster in .* has 3; leave the flag out"):
        run_chaos(plan(cluster.folder, nodes=5))
    run_chaos(plan(cluster.folder, nodes=3))
    assert len(runs) == 1


def test_without_a_proxy_there_is_a_run_of_what_cuts_nothing(meet: Meet, runs: list[dict[str, int]]) -> None:
    cluster = meet(*RUNNING, network="direct")
    run_chaos(plan(cluster.folder, weights={"kill": 1, "cut": 0}))
    assert runs == [{"kill": 1, "cut": 0}]
    assert cluster.downs == 0, "it is not ours to end"


def test_where_no_fault_is_left_it_is_said_which_ones_cannot_be(meet: Meet) -> None:
    with pytest.raises(ClusterError, match="no fault is left: nodes that `mq cluster up` made cannot play disk-full"):
        run_chaos(plan(meet(*RUNNING).folder, weights={"disk-full": 1}))


def test_a_cluster_of_somebodys_own_that_is_down_is_left_as_it_is(meet: Meet, runs: list[dict[str, int]]) -> None:
    cluster = meet("stopped", "stopped", "stopped")
    before = (cluster.folder / "cluster.json").read_bytes()
    with pytest.raises(ClusterError, match=r"is down, and a run would start it with other settings: `mq cluster up --dir .*`"):
        run_chaos(plan(cluster.folder))
    assert (cluster.folder / "cluster.json").read_bytes() == before
    assert runs == []


def test_a_cluster_that_was_made_for_a_run_serves_another_one_as_it_was_made(
    meet: Meet, runs: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, asked = meet(*["stopped"] * 5, is_under_test=True), list[tuple[Any, ...]]()

    def up(folder: Path, wanted: ClusterPlan, *, backend: str, image: str | None) -> StandIn:
        asked.append((folder, wanted.nodes, wanted.is_under_test, backend, image))
        return StandIn(folder, *["running"] * 5)

    monkeypatch.setattr(run, "cluster_up", up)
    run_chaos(plan(cluster.folder))
    assert asked == [(cluster.folder, None, True, "local", None)]
    assert len(runs) == 1


def earlier_history(folder: Path) -> bytes:
    journal = Journal(folder / HISTORY)
    journal.facts(seed=7, began_s=1.0)
    journal.close()
    return (folder / HISTORY).read_bytes()


def test_two_runs_at_once_are_one_too_many_and_the_first_keeps_its_history(meet: Meet, runs: list[dict[str, int]]) -> None:
    cluster = meet(*RUNNING)
    history = earlier_history(cluster.folder)
    with (
        locked(cluster.folder, name="chaos.lock"),
        pytest.raises(ClusterError, match="another run of `mq chaos` is at work in"),
    ):
        run_chaos(plan(cluster.folder))
    assert (cluster.folder / HISTORY).read_bytes() == history
    assert runs == []


def test_a_run_that_dies_before_it_begins_leaves_the_history_of_the_one_before(
    meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = meet(*RUNNING)
    history = earlier_history(cluster.folder)

    def die(*_: object) -> None:
        raise ClusterError("no topic can be made")

    monkeypatch.setattr(run, "_make_topics", die)
    with pytest.raises(ClusterError, match="no topic can be made"):
        run_chaos(plan(cluster.folder))
    assert (cluster.folder / HISTORY).read_bytes() == history


def test_a_history_tells_that_its_run_began_also_when_that_is_killed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / HISTORY)
    journal.facts(seed=7, began_s=1.0)
    assert '"began_s":1.0' in (tmp_path / "new" / HISTORY).read_text()
    assert ClusterFile.exists(tmp_path) is False
    journal.close()


class DeadLoad:
    """Clients of a group that serves nobody any more."""

    def __init__(self, _endpoints: str, topics: object, *_: object) -> None:
        self.progress, self.topics = Progress(), topics

    async def produce(self) -> None:
        return None

    async def consume(self) -> None:
        return None

    async def drain(self) -> list[str]:
        return ["first"]

    async def read_all(self, _nodes: object) -> None:
        raise UnreachableError("nobody answers")


async def test_a_group_that_is_dead_in_the_end_is_told_with_what_was_broken_before(
    meet: Meet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Such a run has most to tell, and must not end without a word of it."""
    made, journal, notes = meet("running", "running", "running"), Journal(tmp_path / HISTORY), TraceNotes(tmp_path / "trace")
    for name, stand_in in {
        "Load": DeadLoad, "_make_topics": lambda *_: None, "ask_replicas": lambda _nodes: [], "_CALM_S": 0.0, "CALM_AFTER_S": 0.0,
    }.items():  # fmt: skip
        monkeypatch.setattr(run, name, stand_in)

    def breaks(*_: object) -> None:
        raise ClusterError("a node lost its disk")

    monkeypatch.setattr(Injector, "carry_out", breaks)
    made.endpoint = ""  # type: ignore[attr-defined]
    plan = ChaosPlan(folder=tmp_path, seed=1, seconds=5.0)
    await run._Run(plan, {"kill": 1}, made, journal, notes).go()  # type: ignore[arg-type]
    journal.close()
    notes.close()
    assert History.read(tmp_path / HISTORY).facts["surprises"] == [
        "after fault 1, kill: a node lost its disk", "in the end the nodes do not tell what they hold: nobody answers",
        "first was not done with all messages in the end",
    ]  # fmt: skip
