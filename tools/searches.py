"""The searches that take longer than a test may: writes `tests/sim/SEARCHES.md`.

    .venv/bin/python -m tools.searches            some 15 minutes of one core

Figure 8 for ten seeds on a core without its rule, then for ten times the budget on the right core; then every state of the
small scope, on the right core and three wrong ones, and every state of the tiny one in which messages are lost at any moment.
Seconds are of the processor.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mq.raft.node import RaftNode
from mq.sim.explore.goals import TINY_SCOPE, search_small
from mq.sim.explore.model import Outcome
from mq.sim.group.seeds import code_mark
from tools.kill_notes import marks_of
from tools.killers import class_of
from tools.said_by_git import commit

__all__ = ["LOSSY_SCOPE", "main"]

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "tests/sim/SEARCHES.md"
_SEEDS, _FOUND_S_MAX, _STEPS_MAX = range(1, 11), 60.0, 25
LOSSY_SCOPE = replace(TINY_SCOPE, can_lose=True)
"""In the small scope a lost message is one that stays under way, and counts among the four: with losses it is too large."""
_FALLS_TO_LOSSES = "old_votes_count"
_FOUND = re.compile(r"the search needed ([\d.]+) s and (\d+) steps; (\d+) are left of them after ([\d.]+) s more")


class _Search:
    """One command, and what it told. command: behind `run.py`. told: the lines of its result, without those of its way."""

    def __init__(self, *flags: str) -> None:
        self.command = " ".join(("sim explore", *flags))
        print(f"python3 run.py {self.command}", flush=True)
        command = [sys.executable, "-m", "mq.sim", "explore", *flags]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.code, lines = done.returncode, done.stderr.splitlines()
        self.told = [line for line in lines if not re.search(r"states looked at( again)?, [\d.]+ s$", line)]
        print("\n".join(self.told[:3]), flush=True)

    def found(self) -> tuple[float, int, int, float]:
        """(seconds of the search, steps, those left when it was made short, seconds for that). Raises: ValueError without any."""
        match = next(filter(None, map(_FOUND.search, self.told)), None)
        if match is None:
            raise ValueError(f"{self.command}: nothing was found: {' | '.join(self.told)[:300]}")
        seconds, steps, left, more = match.groups()
        return float(seconds), int(steps), int(left), float(more)


def _figure_8() -> tuple[list[str], bool]:
    rows, is_good = [], True
    for seed in _SEEDS:
        seconds, steps, left, more = _Search("--goal", "figure8", "--seed", str(seed)).found()
        is_good = is_good and seconds <= _FOUND_S_MAX and left <= _STEPS_MAX
        rows.append(f"| {seed} | {seconds:.1f} | {steps} | {left} | {more:.1f} |")
    return ["| seed | found after s | steps | made short to | after s more |", "|---|---|---|---|---|", *rows], is_good


def _whole(*flags: str) -> tuple[list[str], bool]:
    search = _Search(*flags)
    return [f"    python3 run.py {search.command}", "", "```", *search.told, "```"], search.code == 0


def _with_losses() -> tuple[list[str], bool]:
    """The right core, and a wrong one whose mistake shows only when messages make room for others."""
    right, wrong = search_small(RaftNode, LOSSY_SCOPE), search_small(class_of("wrong", _FALLS_TO_LOSSES), LOSSY_SCOPE)
    told = [
        f"right: {right.result.outcome.value} ({right.result.pace()})",
        f"{_FALLS_TO_LOSSES}: {wrong.result.which} is broken in {len(wrong.path)} steps ({wrong.result.pace()})",
    ]
    print("\n".join(told), flush=True)
    is_good = right.result.outcome is Outcome.EXHAUSTED and bool(wrong.path)
    return ["`LOSSY_SCOPE` of `tools/searches.py`: no proposals, and else the scope above.", "", "```", *told, "```"], is_good


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all ten seeds find the story in time, the right core is clean, and the complete searches end well."""
    parser = argparse.ArgumentParser(prog="python -m tools.searches", description="The searches that take minutes.")
    parser.add_argument("--report", type=Path, default=REPORT, metavar="FILE", help="where to write (tests/sim/SEARCHES.md)")
    options = parser.parse_args(arguments)
    table, is_found = _figure_8()
    right, is_clean = _whole("--goal", "figure8", "--core", "right")
    small, is_small_good = _whole("--goal", "small-scope")
    lossy, is_lossy_good = _with_losses()
    text = "\n".join([
        "# Searches of the Raft core", "",
        "Made by `python -m tools.searches`. Seconds are of the processor. What is searched, and what is left out, stands in the",
        "first lines of each story.", "",
        f"* commit: {commit() or 'no commit'}",
        f"* code of the core and the world: {code_mark()} (`mq.sim.group.seeds.code_mark()`)",
        f"* and of what searches there: {marks_of()['search']} (`tools.kill_notes.marks_of()['search']`)", "",
        "## Figure 8, on a core without its rule alone", "", *table, "",
        "## The same search on the right core, for ten times as long", "", *right, "",
        "## Every state of the small scope", "", *small, "",
        "## Every state of a tiny scope in which messages are lost at any moment", "", *lossy, "",
    ])  # fmt: skip
    options.report.write_text(text, encoding="utf-8")
    is_good = is_found and is_clean and is_small_good and is_lossy_good
    print(f"{options.report}: {'all as it should be' if is_good else 'NOT as it should be'}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
