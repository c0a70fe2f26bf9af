"""What is done to nodes is noted with a moment that is not behind the deed: a cause stands before its effects."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.chaos import injecting
from mq.chaos import notes as noting
from mq.chaos.injecting import Injector
from mq.chaos.merging import read_events
from mq.chaos.notes import TraceNotes
from mq.chaos.plan import Fault
from mq.cli.demo_show import Demo
from mq.cluster import polling
from mq.cluster.asking import Answer
from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.errors import ClusterError
from mq.server.faults import Faults
from mq.sim.trace import Event


class Hours:
    """A clock that goes on by a millisecond whenever it is looked at, and when something is done."""

    def __init__(self) -> None:
        self.us = 1_000_000

    def now_us(self) -> int:
        self.us += 1000
        return self.us


class StandIn:
    """A cluster of three; whatever is done to it is written down with the moment in which it takes effect."""

    def __init__(self, hours: Hours) -> None:
        self.hours, self.states, self.deeds = hours, dict.fromkeys("abc", "running"), list[tuple[str, int]]()
        self.is_under_test = True
        self.cuts: tuple[tuple[str, str], ...] = ()

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def do(name: str = "", *_: Any, **__: object) -> None:
            self.deeds.append((verb, self.hours.now_us()))
            self.hours.us += 25_000  # until whoever asked for it knows
            ends = {"kill": "stopped", "stop": "stopped", "pause": "paused", "resume": "running", "start": "running"}
            self.states[name] = ends.get(verb, self.states.get(name, ""))
            self.cuts = {"cut": (("a", "b"),), "isolate": (("a", "b"),), "heal": ()}.get(verb, self.cuts)
            if verb == "play" and (_[0].is_sync_failing or _[0].is_power_cut):
                self.states[name] = "stopped"

        return do

    def logs(self, _name: str) -> list[str]:
        return ["its last line"]

    def status(self) -> ClusterStatus:
        nodes = [NodeInfo(name, "g", number, name, name, "", self.states[name], pid=1) for number, name in enumerate("abc", 1)]
        return ClusterStatus(tuple(nodes), "running", self.cuts)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    hours = Hours()
    monkeypatch.setattr(noting, "_now_us", hours.now_us)
    monkeypatch.setattr(injecting, "ask_all", lambda nodes, _ask: {node.name: Answer(1, "leader", 1) for node in nodes})
    monkeypatch.setattr(injecting, "ask_broker", lambda _client: Answer(1, "leader", 1))
    monkeypatch.setattr(injecting, "_part_of", lambda _client: ("full", 1))
    return StandIn(hours)


@pytest.mark.parametrize(
    ("kind", "deeds"),
    [
        ("kill", {"kill": "kill"}),
        ("pause", {"pause": "pause", "resume": "resume"}),
        ("restart", {"stop": "kill"}),
        ("rolling-restart", {"stop": "kill"}),
        ("double-kill", {"kill": "kill"}),
        ("wiped-node", {"kill": "kill"}),
        ("cut", {"cut": "cut", "heal": "mend"}),
        ("cut-one-way", {"cut": "cut", "heal": "mend"}),
        ("isolate", {"isolate": "cut", "heal": "mend"}),
        ("disk-full", {"play": "disk-full"}),
        ("slow-disk", {"play": "slow-disk"}),
        ("sync-error", {"play": "sync-fails"}),
        ("power-cut", {}),
        ("lost-leader", {"isolate": "cut", "kill": "kill", "wipe": "wipe", "heal": "mend"}),
    ],
)
def test_a_fault_is_noted_with_a_moment_before_it(kind: str, deeds: dict[str, str], tmp_path: Path, stand_in: StandIn) -> None:
    notes = TraceNotes(tmp_path / "notes.trace")
    fault = Fault(kind=kind, hits_leader=True, pick=1, duration_s=0.0, rest_s=0.0, amount=1)
    Injector(stand_in, notes, lambda _seconds: None).carry_out(fault)  # type: ignore[arg-type]
    notes.close()
    events = list(read_events(tmp_path / "notes.trace"))
    for verb, name in deeds.items():
        done_us = [at_us for done, at_us in stand_in.deeds if done == verb]
        noted = [event for event in events if event.name == name]
        assert noted, f"{kind} notes no {name}"
        assert done_us, f"{kind} does no {verb}"
        for event, at_us in zip(noted, done_us, strict=False):
            assert event.number("us") < at_us or name == "wipe", "a wipe is done to a node that is dead"
            assert name not in ("kill", "pause") or event.number("by") > at_us
    moments = [event.number("us") for event in events]
    assert moments == sorted(moments), "a trace is in order"


def test_a_disk_that_fails_ends_its_node_no_sooner_than_it_fails(tmp_path: Path, stand_in: StandIn) -> None:
    notes = TraceNotes(tmp_path / "notes.trace")
    fault = Fault(kind="sync-error", hits_leader=True, pick=0, duration_s=0.0, rest_s=0.0, amount=0)
    Injector(stand_in, notes, lambda _seconds: None).carry_out(fault)  # type: ignore[arg-type]
    notes.close()
    fails, kill = list(read_events(tmp_path / "notes.trace"))
    assert (fails.name, kill.name) == ("sync-fails", "kill")
    assert fails.number("us") < kill.number("us") < stand_in.deeds[0][1] < kill.number("by")


class Played:
    """What nodes were told to play, in order, and when."""

    def __init__(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[tuple[str, Faults, int]] = []
        self._do = stand_in.__getattr__("play")
        self._stand_in = stand_in
        monkeypatch.setattr(stand_in, "play", self._play, raising=False)

    def _play(self, name: str, faults: Faults) -> None:
        self.found.append((name, faults, self._stand_in.hours.us))
        self._do(name, faults)


def cut_power(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, file: Path, pick: int) -> tuple[Played, list[str], list[Event]]:
    played, notes = Played(stand_in, monkeypatch), TraceNotes(file)
    injector = Injector(cast(Any, stand_in), notes, lambda _seconds: None)
    done = injector.carry_out(Fault(kind="power-cut", hits_leader=False, pick=pick, duration_s=0.0, rest_s=0.0))
    notes.close()
    assert (sorted(done.nodes.split(",")), done.elections) == (["a", "b", "c"], 1)
    return played, injector.surprises, list(read_events(file))


@pytest.mark.parametrize(("pick", "is_lost"), [(6, True), (7, False)])
def test_the_power_of_all_nodes_is_cut_at_once_with_much_on_its_way_to_their_disks_and_comes_back(
    pick: int, is_lost: bool, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played, surprises, events = cut_power(stand_in, monkeypatch, tmp_path / "trace", pick)
    assert surprises == []
    cuts = [(name, faults.seed, at_us) for name, faults, at_us in played.found if faults.is_power_cut]
    assert sorted(name for name, *_ in cuts) == ["a", "b", "c"]
    assert len({seed for _, seed, _ in cuts}) == 3, "each loses in its own way"
    first = next(number for number, (_, faults, _) in enumerate(played.found) if faults.is_power_cut)
    assert {name for name, faults, _ in played.found[:first] if faults.slow_ms} == {"b", "c"}, "those who follow"
    assert [verb for verb, _ in stand_in.deeds if verb == "wipe"] == (["wipe"] if is_lost else [])
    assert all(faults == Faults() for _, faults, _ in played.found[first + 3 :]), "nobody is cut off again at its start"
    assert set(stand_in.states.values()) == {"running"}
    assert [(one.node, one.name) for one in events if one.name == "power-loss"] == [
        (f"n{'abc'.index(name) + 1}", "power-loss") for name, *_ in cuts
    ]
    ends = [one for one in events if one.name == "power-loss"]
    assert all(one.number("us") <= min(at_us for *_, at_us in cuts) for one in ends)
    assert all(one.number("by") >= max(at_us for *_, at_us in cuts) for one in ends)


@pytest.mark.parametrize(("pick", "is_wiped"), [(4, False), (5, True)])
def test_a_leader_is_lost_before_anybody_hears_of_what_it_took_alone(
    pick: int, is_wiped: bool, stand_in: StandIn, tmp_path: Path
) -> None:
    notes = TraceNotes(tmp_path / "trace")
    fault = Fault(kind="lost-leader", hits_leader=False, pick=pick, duration_s=1.0, rest_s=0.0)
    waited: list[list[str]] = []
    injector = Injector(cast(Any, stand_in), notes, lambda _seconds: waited.append([verb for verb, _ in stand_in.deeds]))
    done = injector.carry_out(fault)
    notes.close()
    verbs = [verb for verb, _ in stand_in.deeds if verb != "play"]
    assert verbs == ["isolate", "kill", *(["wipe"] if is_wiped else []), "heal", "start"]
    assert waited == [["isolate"]], "it serves clients for a while, alone"
    assert (done.nodes, done.elections, injector.surprises) == ("a", 1, [])


def test_data_that_a_node_found_damaged_is_a_surprise_and_told_once(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = stand_in.status

    def status() -> ClusterStatus:
        found = whole()
        return replace(found, nodes=tuple(replace(node, data=str(tmp_path / node.name)) for node in found.nodes))

    monkeypatch.setattr(stand_in, "status", status)
    (tmp_path / "b" / "damaged-1").mkdir(parents=True)
    notes = TraceNotes(tmp_path / "trace")
    injector = Injector(cast(Any, stand_in), notes, lambda _seconds: None)
    injector.look_for_surprises()
    assert injector.surprises == [], "that was there before"
    (tmp_path / "c" / "damaged-1").mkdir(parents=True)
    injector.look_for_surprises()
    injector.look_for_surprises()
    notes.close()
    assert injector.surprises == [f"a node found what it had stored damaged, and put it aside: {tmp_path / 'c' / 'damaged-1'}"]


def test_the_demo_notes_the_kill_before_the_signal_and_counts_from_there(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = Demo(tmp_path, 8)
    demo.__dict__["cluster"] = stand_in
    monkeypatch.setattr(Demo, "leader", lambda _demo, _group, *, but="": "b" if but else "a")
    demo.kill_the_leader()
    (kill,) = read_events(demo.traces / "zz-demo.trace")
    (verb, at_us), *_ = stand_in.deeds
    assert (verb, kill.name, kill.node) == ("kill", "kill", "n1")
    assert kill.number("us") < at_us < kill.number("by")
    assert demo.killed_trace_ms == kill.number("us") // 1000


def test_a_node_that_ends_while_something_else_is_broken_is_a_surprise(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.states["c"] = "running"
    notes = TraceNotes(tmp_path / "trace")

    def others_end(_for_s: float) -> None:
        stand_in.states["c"] = "stopped"

    injector = Injector(cast(Any, stand_in), notes, others_end)
    injector.carry_out(Fault("pause", True, 0, 1.0, 0.0))
    notes.close()
    assert [told.partition(";")[0] for told in injector.surprises] == ["c ended by itself"]
    assert stand_in.states["c"] == "running"


class Impatient:
    """A clock that goes on only while somebody sleeps, and not for ever."""

    now_s = 0.0

    def monotonic(self) -> float:
        assert self.now_s < 10_000, "nobody waits any more"
        return self.now_s

    def sleep(self, time_s: float) -> None:
        self.now_s += time_s


@pytest.mark.parametrize(
    ("entries_a_look", "told"),
    [
        (0, "a lost its disk, came to entry 7, and 90 s later it is: coming in"),
        (1, "a lost its disk, came to entry 12\\d\\d, and 300 s after its start it is: coming in"),
    ],
)
def test_a_wiped_node_that_does_not_come_back_ends_the_run_also_when_it_takes_in_more_and_more(
    entries_a_look: int, told: str, tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, end = Impatient(), count(7, entries_a_look)
    for module in (injecting, polling):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    monkeypatch.setattr(injecting, "_part_of", lambda _client: ("coming in", next(end)))
    notes = TraceNotes(tmp_path / "trace")
    with closing(notes), pytest.raises(ClusterError, match=f"^{told}$"):
        Injector(cast(Any, stand_in), notes, lambda _seconds: None).carry_out(Fault("wiped-node", True, 0, 0.0, 0.0))
