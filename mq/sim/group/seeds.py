"""Many seeds of a Raft group, one after the other or on several cores; what was run is noted, so that it can be gone on with.

The notes are text, one line a seed, so that a run of hours may be interrupted at any moment:

    # raft group, 3000 steps, code 5f0c93aa
    17 ok events=3604 elections=4 crashes=6 ...
    18 broken in each term there is at most one leader
"""

import gc
import hashlib
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.sim.checkers import VacuousRunError
from mq.sim.group.options import GROUP_STEPS, draw_options
from mq.sim.group.standstill import run_watched
from mq.sim.group.storage import LightStorage
from mq.sim.group.store_storage import StoreStorages
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import GroupWorld
from mq.sim.load_raft import load_raft

__all__ = ["Notes", "SeedResult", "Tally", "calm_collector", "code_mark", "make_world", "run_seed", "run_seeds"]


class SeedResult(NamedTuple):
    """What came of a seed. promise: the one that was broken, or "" when none was; story: for people."""

    seed: int
    met: dict[str, int]
    promise: str = ""
    story: str = ""

    def to_line(self) -> str:
        """For the notes."""
        if self.promise:
            return f"{self.seed} broken {self.promise}"
        return f"{self.seed} ok " + " ".join(f"{name.replace(' ', '_')}={count}" for name, count in self.met.items())

    @classmethod
    def from_line(cls, line: str) -> "SeedResult":
        """Raises: ValueError when the line is none, or was cut short."""
        seed, fate, *rest = line.split(" ")
        if fate == "broken":
            return cls(int(seed), {}, " ".join(rest))
        pairs = [part.partition("=") for part in rest]
        if fate != "ok" or not pairs or pairs[-1][0] != "events":
            raise ValueError(f"no note of a seed: {line!r}")
        return cls(int(seed), {name.replace("_", " "): int(count) for name, _, count in pairs})


def make_world(seed: int, steps: int, raft: str = "", *, log: str = "light") -> GroupWorld:
    """raft: `FILE:Class` of another Raft than ours. log: "light" or "store". Raises: IllegalArgumentError when there is none."""
    flags = (f" --steps {steps}" if steps != GROUP_STEPS else "") + (f" --raft {raft}" if raft else "")
    flags += f" --log {log}" if log != "light" else ""
    make = load_raft(raft) if raft else RaftNode
    make_storage = StoreStorages(seed) if log == "store" else LightStorage
    return GroupWorld(seed, draw_options(seed, steps=steps), make=make, make_storage=make_storage, flags=flags)


def run_seed(seed: int, steps: int, raft: str = "", *, log: str = "light") -> SeedResult:
    """One run, see `make_world`."""
    world = make_world(seed, steps, raft, log=log)
    try:
        run_watched(world)
    except ViolationError as error:
        return SeedResult(seed, world.met(), error.violation.promise, str(error))
    except VacuousRunError as error:
        return SeedResult(seed, world.met(), "the run proves something", str(error))
    return SeedResult(seed, world.met())


def calm_collector() -> None:
    """A run makes many small things that stay: looking through them again and again costs a tenth of the time."""
    gc.set_threshold(50_000, 20, 100)


def _begin_worker() -> None:
    """Ctrl-C is for the parent, which ends its workers; and what somebody's Raft prints is no part of the summary."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr
    calm_collector()


def run_seeds(seeds: Iterable[int], steps: int, *, raft: str = "", jobs: int = 1, log: str = "light") -> Iterator[SeedResult]:
    """All of them; on several cores in the order in which they are done."""
    run = partial(run_seed, steps=steps, raft=raft, log=log)
    if jobs == 1:
        calm_collector()
        yield from map(run, seeds)
        return
    # A fresh interpreter each: a fork of a process that has threads may never wake up.
    with get_context("spawn").Pool(jobs, _begin_worker) as pool:
        yield from pool.imap_unordered(run, seeds, chunksize=8)


_PACKAGES = ("core", "raft", "sim", "sim/group")
"""What a run on a light log depends on."""


def code_mark(raft: str = "", *, log: str = "light") -> str:
    """Eight digits that change with the code that a run depends on: runs of other code prove nothing about this one."""
    here = Path(__file__).parent.parent.parent
    packages = [*_PACKAGES, *(["broker/store"] if log == "store" else [])]
    files = sorted(file for package in packages for file in (here / package).glob("*.py"))
    if raft:
        files.append(Path(raft.rpartition(":")[0]))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:8]


class Notes:
    """What was run before, and is noted from now on. done: by seed."""

    def __init__(self, file: Path, steps: int, raft: str = "", *, log: str = "light") -> None:
        """Raises: IllegalArgumentError when the file holds notes of other runs; OSError."""
        heading = f"# raft group, {steps} steps" + (f", {raft}" if raft else "") + (f", log {log}" if log != "light" else "")
        heading += f", code {code_mark(raft, log=log)}"
        self.done: dict[int, SeedResult] = {}
        lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else []
        if lines and any(lines) and lines[0] != heading:
            raise IllegalArgumentError(
                f"{file} holds other runs, or runs of other code: it begins with {lines[0][:80]!r}, and not with {heading!r}. "
                "Begin another file"
            )
        for line in lines[1:]:
            try:
                result = SeedResult.from_line(line)
            except ValueError:
                continue  # the last line, cut short when the run was interrupted: its seed is run again
            self.done[result.seed] = result
        whole = [heading, *(result.to_line() for result in self.done.values())]
        file.write_text("\n".join(whole) + "\n", encoding="utf-8")
        self._out = file.open("a", encoding="utf-8")

    def add(self, result: SeedResult) -> None:
        """At once, so that nothing is run twice."""
        self._out.write(result.to_line() + "\n")
        self._out.flush()

    def close(self) -> None:
        """No more is noted."""
        self._out.close()


class Tally:
    """Sums over seeds. fewest_events: steps of the world in one seed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seeds = self.broken = self.fewest_events = 0
        self.promises: Counter[str] = Counter()

    def add(self, result: SeedResult) -> None:
        """One more seed."""
        self.seeds += 1
        self.counts.update(result.met)
        if result.promise:
            self.broken += 1
            self.promises[result.promise] += 1
        else:
            events = result.met["events"]
            self.fewest_events = min(self.fewest_events or events, events)

    def to_text(self) -> str:
        """What happened in all of them, and what was broken how often."""
        met = ", ".join(f"{count:,} {name}" for name, count in self.counts.items() if name != "events")
        lines = [
            f"{self.seeds:,} seeds: {self.broken} broken",
            f"{self.counts['events']:,} steps of the world, {self.fewest_events:,} at least in each seed",
            met,
        ]
        return "\n".join([*lines, *(f"broken in {count} seeds: {promise}" for promise, count in self.promises.most_common())])
