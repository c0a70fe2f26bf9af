"""What can kill a wrong Raft: the paper's sentences, transcripts, schedules by hand, seeds of the world, a search.

Each gives back what it found, how much was tried until the first that killed, and in how many seconds.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from mq.raft.node import RaftNode
from mq.sim.group.seeds import run_seed
from mq.sim.hand.script import run
from mq.sim.load_raft import load_raft
from tools.schedule import NOT_DONE, play

__all__ = [
    "LAB", "ROOT", "SEARCHED", "STEPS", "Tried", "by_paper", "by_schedules", "by_search", "by_seeds", "by_transcripts",
    "class_of", "each_by_paper", "in_turns", "names_of", "place_of", "sentence_of", "try_schedules", "try_transcripts",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "labs" / "stage3_raft"
STEPS = 3000
SEARCHED = {"figure8": "figure8"}
"""Of those that are searched for the goal of the search."""
_NO_PROOF = "the run proves something"


def names_of(kind: str) -> list[str]:
    """Of the wrong or of the right ones, sorted."""
    return sorted(file.stem for file in (LAB / kind).glob("*.py"))


def place_of(kind: str, name: str) -> str:
    """As `--raft` takes it, from the root of the checkout."""
    return f"labs/stage3_raft/{kind}/{name}.py:Raft"


def class_of(kind: str, name: str) -> type[RaftNode]:
    """The class itself."""
    return load_raft(f"{LAB / kind / name}.py:Raft")


def sentence_of(kind: str, name: str) -> str:
    """The first sentence of its module: what the mistake is."""
    text = (LAB / kind / f"{name}.py").read_text(encoding="utf-8")
    return text.split('"""')[1].split("\n")[0]


class Tried(NamedTuple):
    """What came of all scripts of one kind, in the order in which they are played: by name, as pytest has it for sentences.

    killers: those that the Raft breaks, with what broke, if that is told. first: of these, after `runs` of the `of` scripts, and
    `seconds`; without any, all of them. unsaid: those that say nothing, because they speak of a message that it never sends.
    """

    killers: dict[str, str]
    first: str | None
    runs: int
    of: int
    seconds: float
    unsaid: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """For the notes."""
        return {**self._asdict(), "unsaid": list(self.unsaid)}


# ---------------------------------------------------------------- sentences


def each_by_paper(places: Sequence[str], jobs: int = 1) -> Iterator[tuple[str, Tried]]:
    """Of each place what comes of the paper's sentences, as soon as it is known.

    Raises: RuntimeError when they cannot be tried.
    """
    parts = [part for number in range(jobs) if (part := places[number::jobs])]
    with ExitStack() as stack:
        running = []
        for part in parts:
            command = [sys.executable, "-m", "tools.paper_check", *part]
            one = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            running.append(stack.enter_context(one))
            stack.callback(one.kill)
        for line in in_turns(running):
            if line.startswith("{"):
                told = json.loads(line)
                broken = told["broken"]
                first = broken[0] if broken else None
                yield told["place"], Tried(dict.fromkeys(broken, ""), first, told["runs"], told["of"], told["seconds"])
        if any(one.wait() for one in running):
            raise RuntimeError("the sentences could not be tried: see above")


def in_turns(running: "Sequence[subprocess.Popen[str]]") -> Iterator[str]:
    """A line of each process, then the next of each, until all are at their end."""
    going = list(running)
    while going:
        for one in list(going):
            assert one.stdout is not None
            line = one.stdout.readline()
            if line:
                yield line.rstrip("\n")
            else:
                going.remove(one)


def by_paper(*places: str) -> dict[str, list[str]]:
    """By place, the paper's sentences that do not hold, as names for pytest."""
    return {place: list(tried.killers) for place, tried in each_by_paper(places)}


# ---------------------------------------------------------------- schedules and transcripts


def try_schedules(raft_class: type[RaftNode]) -> Tried:
    """The schedules that break it, each with the command at which, and what broke.

    One that cannot be carried out with it, because a message that it speaks of was never sent, says nothing.
    """
    files = sorted((LAB / "schedules").glob("*.txt"))
    killers, unsaid, met, begun = {}, [], None, time.perf_counter()
    for number, file in enumerate(files, 1):
        end = play(file, raft_class)
        if end is not None and NOT_DONE in end:
            unsaid.append(file.stem)
        elif end is not None:
            killers[file.stem] = end
            met = met or (file.stem, number, _since(begun))
    first, runs, seconds = met or (None, len(files), _since(begun))
    return Tried(killers, first, runs, len(files), seconds, tuple(unsaid))


def by_schedules(raft_class: type[RaftNode], *choice: str) -> dict[str, str]:
    """The schedules that break it, see `try_schedules`. choice: only some of them."""
    if not choice:
        return try_schedules(raft_class).killers
    ends = {name: play(LAB / "schedules" / f"{name}.txt", raft_class) for name in choice}
    return {name: end for name, end in ends.items() if end is not None and NOT_DONE not in end}


def try_transcripts(raft_class: type[RaftNode]) -> Tried:
    """The transcripts in which it does something else. Right variants may do so, too."""
    files = sorted((ROOT / "tests/transcripts").glob("*.txt"))
    killers, met, begun = {}, None, time.perf_counter()
    for number, file in enumerate(files, 1):
        if _differs(file, raft_class):
            killers[file.stem] = ""
            met = met or (file.stem, number, _since(begun))
    first, runs, seconds = met or (None, len(files), _since(begun))
    return Tried(killers, first, runs, len(files), seconds)


def by_transcripts(raft_class: type[RaftNode]) -> list[str]:
    """Their names alone."""
    return list(try_transcripts(raft_class).killers)


def _differs(file: Path, raft_class: type[RaftNode]) -> bool:
    expected = file.read_text(encoding="utf-8")
    try:
        return run(expected, raft_class) != expected
    except Exception:  # noqa: BLE001  # whatever a wrong Raft comes to is its end
        return True


# ---------------------------------------------------------------- seeds and searches


def by_seeds(place: str, seeds: range) -> dict[str, Any]:
    """The first of the world's seeds that breaks it, and how long that took. A run that proves nothing does not count.

    place: from the root of the checkout, or from that of the disk.
    """
    begun = time.perf_counter()
    for number, seed in enumerate(seeds, 1):
        result = run_seed(seed, STEPS, str(ROOT / place))
        if result.promise not in {"", _NO_PROOF}:
            return {"seed": seed, "runs": number, "seconds": _since(begun), "promise": result.promise}
    return {"seed": None, "runs": len(seeds), "seconds": _since(begun)}


def by_search(place: str, goal: str, seed: int, seconds: int) -> dict[str, Any]:
    """Whether a search finds a violation, by itself, within that time, and how much it looked at."""
    begun = time.perf_counter()
    command = [sys.executable, "run.py", "sim", "explore", "--goal", goal, "--core", place, "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--budget", str(seconds)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds * 3 + 60
    )
    found = done.returncode == 1 and "is broken" in done.stderr  # a Raft that cannot even be run ends with 1 as well
    looked = re.search(r"[\d,]+ distinct states, [\d,]+ steps tried", done.stderr)
    told = looked.group() if looked else "nothing told"
    return {"goal": goal, "seed": seed, "found": found, "looked": told, "seconds": _since(begun)}


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 2)
