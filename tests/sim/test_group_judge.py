"""The judge of recorded traces: it keeps silent about right ones, and finds in a trace's lines what a wrong Raft did."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from mq.raft.node import RaftNode
from mq.sim.checkers import VacuousRunError
from mq.sim.group.judge import judge, main, read_lines
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import GroupWorld
from tests.sim import group_wrong as wrong


@cache
def trace_of(seed: int) -> str:
    return GroupWorld(seed).run().to_text()


SEED = 5
"""A run with restarts, snapshots, one that was installed, and a change of members."""


def promise_of(text: str) -> str:
    found = judge(read_lines(text))
    return "" if found is None else found.promise


# ---------------------------------------------------------------- wrong Rafts, from their traces alone

CAUGHT: dict[type[RaftNode], str] = {
    wrong.LeadsWithItsOwnVote: "in each term there is at most one leader",
    wrong.ChecksOnlyTheIndex: "logs that hold the same entry are equal up to it",
    wrong.VotesForAnyLog: "a leader has every entry that was committed in an earlier term",
    wrong.CountsOlderTerms: "a leader commits by counting only entries of its own term",
    wrong.CommitsToItsOwnEnd: "all agree on what is committed",
    wrong.TakesRefusalsForMatches: "what is committed is durable on a quorum",
    wrong.ForgetsItsVote: "no vote leaves before it is on the disk",
    wrong.AcknowledgesAtOnce: "nothing is acknowledged that is not on the disk",
    wrong.VotesAtOnce: "a node speaks of no term that is not on its disk",
    wrong.ReadsWithoutAsking: "a read is never stale",
}


@pytest.mark.parametrize("make", CAUGHT, ids=lambda make: make.__name__)
def test_a_wrong_raft_is_found_out_by_its_trace(make: type[RaftNode]) -> None:
    found = set()
    for seed in range(1, 40):
        world = GroupWorld(seed, make=make, checkers=lambda _: [])
        with suppress(ViolationError, VacuousRunError):  # it may fall over its own feet: what was recorded till then is judged
            world.run()
        found.add(promise_of(world.trace.to_text()))
        if CAUGHT[make] in found:
            return
    pytest.fail(f"the judge found only {found - {''}}")


# ---------------------------------------------------------------- lines that were changed


def changed(pattern: str, change: Callable[[re.Match[str]], str], *, which: int = 0) -> str:
    """A right trace, of which one line that fits is another one."""
    lines = trace_of(SEED).split("\n")
    places = [number for number, line in enumerate(lines) if re.search(pattern, line)]
    place = places[which]
    lines[place] = re.sub(pattern, change, lines[place])
    return "\n".join(lines)


def number_changed(pattern: str, by: int, *, which: int = 0) -> str:
    """pattern: with the number as its only group."""

    def change(found: re.Match[str]) -> str:
        start, end = found.start(1) - found.start(), found.end(1) - found.start()
        return f"{found.group()[:start]}{int(found.group(1)) + by}{found.group()[end:]}"

    return changed(pattern, change, which=which)


def voted_twice() -> str:
    """After its vote a node gives it to another one."""
    return changed(r"^(.* vote +term=\d+ for=)\d+$", lambda found: f"{found.group()}\n{found.group(1)}9")


TAMPERED: dict[str, Callable[[], str]] = {
    "terms never fall": lambda: number_changed(r" role +role=leader term=(\d+)", -1, which=1),
    "terms never fall, not even over a restart": lambda: number_changed(r" start +term=([1-9]\d*)", -1),
    "what was durable is there after a restart": lambda: number_changed(r" start .*? last=([1-9]\d*)", -1),
    "a vote changes only with the term": voted_twice,
    "a leader only appends to its log": lambda: number_changed(r" append +after=([1-9]\d*)(?= terms=\d)", -1),
    "the term on a disk never falls": lambda: number_changed(r" save +sequence=\d+ term=([1-9]\d*)", -1, which=9),
    "entries are applied in their order, and not before they are committed": lambda: number_changed(r" apply +index=(\d+)", 1),
    "no two nodes apply different commands for one index": lambda: changed(
        r"( apply .*body=x)\w{8}", lambda found: found.group(1) + "00000001", which=1
    ),
    "a snapshot stands for what was applied": lambda: number_changed(r" snapshot +index=\d+ term=(\d+)", 1),
    "what a client is told to be done is applied": lambda: number_changed(r" done .*index=(\d+)", 1),
    "nothing is received that was not sent": lambda: number_changed(r" receive +id=(\d+)", 100_000),
    "a read is never stale": lambda: changed(r"( answer .*index=)\d+", lambda found: found.group(1) + "0", which=-1),
}


@pytest.mark.parametrize("promise", TAMPERED)
def test_a_changed_line_is_found(promise: str) -> None:
    assert promise_of(trace_of(SEED)) == ""
    assert promise_of(TAMPERED[promise]()) == promise


# ---------------------------------------------------------------- the command


def test_the_command_judges_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, short = tmp_path / "good.txt", tmp_path / "bad.txt", tmp_path / "short.txt"
    good.write_text(trace_of(SEED))
    bad.write_text(TAMPERED["a read is never stale"]())
    short.write_text("\n".join(trace_of(SEED).split("\n")[:8]))
    assert main([str(good)]) == 0
    assert "events judged, every rule was kept" in capsys.readouterr().out
    assert main([str(bad)]) == 1
    assert "broken: a read is never stale" in capsys.readouterr().err
    assert main([str(short)]) == 1, "without a commit nothing was judged"
    assert main([str(tmp_path / "none.txt")]) == 2
    assert main([]) == 2
