"""What can kill a wrong Raft: the paper's sentences, transcripts, schedules by hand, seeds of the world, a search.

Each gives back what it found, as plain data that goes into `labs/stage3_raft/kills.json`.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mq.raft.node import RaftNode
from mq.sim.group.seeds import run_seed
from mq.sim.hand.script import run
from mq.sim.load_raft import load_raft
from tools.schedule import NOT_DONE, play

__all__ = [
    "LAB", "ROOT", "STEPS", "by_paper", "by_schedules", "by_search", "by_seeds", "by_transcripts", "class_of", "names_of",
    "place_of", "sentence_of",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "labs" / "stage3_raft"
STEPS = 3000
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


def by_paper(*places: str) -> dict[str, list[str]]:
    """By place, the paper's sentences that do not hold, as names for pytest."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.paper_check", *places], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the sentences could not be tried:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {each["place"]: each["broken"] for each in found}


def by_transcripts(raft_class: type[RaftNode]) -> list[str]:
    """The transcripts in which it does something else. Right variants may do so, too."""
    return [file.stem for file in sorted((ROOT / "tests/transcripts").glob("*.txt")) if _differs(file, raft_class)]


def _differs(file: Path, raft_class: type[RaftNode]) -> bool:
    expected = file.read_text(encoding="utf-8")
    try:
        return run(expected, raft_class) != expected
    except Exception:  # noqa: BLE001  # whatever a wrong Raft comes to is its end
        return True


def by_schedules(raft_class: type[RaftNode], *choice: str) -> dict[str, str]:
    """The schedules that break it, each with the command at which, and what broke. choice: only some of them.

    One that cannot be carried out with it, because a message that it speaks of was never sent, says nothing.
    """
    files = [LAB / "schedules" / f"{name}.txt" for name in choice] or sorted((LAB / "schedules").glob("*.txt"))
    ends = {file.stem: play(file, raft_class) for file in files}
    return {name: end for name, end in ends.items() if end is not None and NOT_DONE not in end}


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
    """Whether a search finds a violation, by itself, within that time."""
    begun = time.perf_counter()
    command = [sys.executable, "run.py", "sim", "explore", "--goal", goal, "--core", place, "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--budget", str(seconds)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds * 3 + 60
    )
    found = done.returncode == 1 and "is broken" in done.stderr  # a Raft that cannot even be run ends with 1 as well
    return {"goal": goal, "seed": seed, "found": found, "seconds": _since(begun)}


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 2)
