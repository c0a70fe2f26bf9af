"""The tests in tiers: which are chosen, and which run side by side.

Tests of the cores share the machine's cores. Tests with real processes measure and kill, and wait more than they compute: when
the others are done they run in two rows, those with containers in one of them (`tests/conftest.py`); by night, where they run for
hours, in one. Two runs of pytest end in two closing lines; the sum of both is printed last, in the same form.
"""

import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tools.runner.places import ROOT
from tools.runner.say import say

__all__ = ["TIERS", "Part", "Result", "closing_line", "exit_status", "parts_of", "run"]

_ALONE = "interop or cluster or docker"
_WORKERS_MAX = 4
_NO_TESTS = 5
"""pytest's exit status when it chose no test."""
_ORDER = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "error")
"""pytest's own order of outcomes in its closing line."""


@dataclass(frozen=True, slots=True)
class Part:
    """One run of pytest: what it is called, which tests by their marks; how xdist spreads them, and over how many processes.

    spread: empty for one after another. rows: 0 for as many as the machine has cores, but at most four.
    """

    name: str
    marks: str
    spread: str = ""
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How one run of pytest ended: its exit status, tests by outcome, ids of those that failed."""

    status: int
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


TIERS = {
    "quick": (Part("everything quick", f"not ({_ALONE} or slow or night)", "worksteal"),),
    "default": (
        Part("side by side", f"not ({_ALONE} or night)", "worksteal"),
        Part("with processes of their own, in two rows", f"({_ALONE}) and not night", "loadgroup", rows=2),
    ),
    "night": (
        Part("side by side", f"not ({_ALONE} or night)", "worksteal"),
        Part("long ones and those with processes of their own, one by one", f"{_ALONE} or night"),
    ),
}


def parts_of(tier: str, arguments: Sequence[str]) -> tuple[Part, ...]:
    """The runs of a tier. Arguments of one's own choose themselves: one run, in this tier's bounds."""
    if not arguments:
        return TIERS[tier]
    bounds = {"quick": TIERS["quick"][0].marks, "default": "not night", "night": ""}
    has_marks = any(argument == "-m" or argument.startswith(("-m=", "--markexpr")) for argument in arguments)
    return (Part("as asked", "" if has_marks else bounds[tier]),)


def _run_part(python: Path, part: Part, tier: str, arguments: Sequence[str]) -> Result:
    command = [str(python), "-m", "pytest", "-p", "tools.runner.tally"]
    if part.marks:
        command += ["-m", part.marks]
    if part.spread:
        rows = part.rows or min(os.cpu_count() or 1, _WORKERS_MAX)
        command += ["-n", str(rows), "--dist", part.spread]
    if not arguments:
        command += ["--durations", "25", "--durations-min", "5"]  # who wants it quicker looks here first
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally.json"
        environment = dict(os.environ, RAFTMQ_TALLY=str(tally), RAFTMQ_TIER=tier)
        status = subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=False).returncode
        try:
            written = json.loads(tally.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # pytest did not come as far as that
            return Result(status or 1)
        return Result(status, written["counts"], written["failed"])


def exit_status(results: Sequence[Result]) -> int:
    """0 when every run passed and at least one test ran; a run that had none to choose is no failure beside others."""
    ran = [result.status for result in results if result.status != _NO_TESTS]
    if not ran:
        return _NO_TESTS
    return next((status for status in ran if status), 0)


def closing_line(results: Sequence[Result], seconds: float) -> str:
    """The sum of several runs, as pytest closes a run. A run that broke off counts as an error."""
    total: Counter[str] = Counter()
    for result in results:
        # Each run deselects what the other one runs: a sum of that would count nothing.
        total.update({outcome: count for outcome, count in result.counts.items() if outcome != "deselected"})
        if result.status not in (0, _NO_TESTS) and not result.failed:
            total["error"] += 1
    words = [f"{total[outcome]} {_plural(outcome, total[outcome])}" for outcome in _ORDER if total[outcome]]
    took = f"{seconds:.2f}s" if seconds < 60 else f"{seconds:.2f}s ({timedelta(seconds=int(seconds))})"
    return f" {', '.join(words) or 'no tests ran'} in {took} ".center(80, "=")


def _plural(outcome: str, count: int) -> str:
    if outcome == "warnings":
        return "warning" if count == 1 else "warnings"
    return "errors" if outcome == "error" and count != 1 else outcome


def run(python: Path, tier: str, arguments: Sequence[str]) -> int:
    """Run a tier, or the tests that `arguments` choose, and return pytest's exit status."""
    begun = time.monotonic()
    parts = parts_of(tier, arguments)
    results = []
    for number, part in enumerate(parts, 1):
        if len(parts) > 1:
            say(f"\n-- part {number} of {len(parts)}: {part.name}")
        results.append(_run_part(python, part, tier, arguments))
    if len(parts) > 1:
        for result in results:
            for nodeid in result.failed:
                print(f"FAILED {nodeid}")
        print(closing_line(results, time.monotonic() - begun), flush=True)
    return exit_status(results)
