"""What is done to nodes is noted with a moment that is not behind the deed: a cause stands before its effects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from mq.chaos import injecting
from mq.chaos.injecting import Injector, TraceNotes
from mq.chaos.merging import read_events
from mq.chaos.plan import Fault
from mq.cli.demo_show import Demo
from mq.cluster.asking import Answer
from mq.cluster.backend import ClusterStatus, NodeInfo


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
        def do(name: str = "", *_: object, **__: object) -> None:
            self.deeds.append((verb, self.hours.now_us()))
            self.hours.us += 25_000  # until whoever asked for it knows
            ends = {"kill": "stopped", "stop": "stopped", "pause": "paused", "resume": "running", "start": "running"}
            self.states[name] = ends.get(verb, self.states.get(name, ""))
            self.cuts = {"cut": (("a", "b"),), "isolate": (("a", "b"),), "heal": ()}.get(verb, self.cuts)
            if verb == "play" and getattr(_[0], "is_sync_failing", False):
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
    monkeypatch.setattr(injecting, "_now_us", hours.now_us)
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
    ],
)
def test_a_fault_is_noted_with_a_moment_before_it(kind: str, deeds: dict[str, str], tmp_path: Path, stand_in: StandIn) -> None:
    notes = TraceNotes(tmp_path / "notes.trace")
    fault = Fault(kind=kind, hits_leader=True, pick=0, duration_s=0.0, rest_s=0.0, amount=1)
    Injector(stand_in, notes, lambda _seconds: None).carry_out(fault)  # type: ignore[arg-type]
    notes.close()
    events = list(read_events(tmp_path / "notes.trace"))
    for verb, name in deeds.items():
        done_us = [at_us for done, at_us in stand_in.deeds if done == verb]
        noted = [event for event in events if event.name == name]
        assert noted, f"{kind} notes no {name}"
        assert done_us, f"{kind} does no {verb}"
        for event, at_us in zip(noted, done_us, strict=False):
            assert event.number("us") < at_us
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


def test_the_demo_notes_the_kill_before_the_signal_and_counts_from_there(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = Demo(tmp_path, 8)
    demo.__dict__["cluster"] = stand_in
    monkeypatch.setattr(Demo, "leader", lambda _demo, *, but="": "b" if but else "a")
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
