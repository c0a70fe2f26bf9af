"""A full grade of the Raft labs 3a to 3d, test by test: seconds, and who used the processor, with the worker limited or free.

    .venv/bin/python -m bench.raft_labs                            the worker in a cgroup of half a core and 768 MB (root only)
    .venv/bin/python -m bench.raft_labs --cores 0                  without a limit
    .venv/bin/python -m bench.raft_labs --everyone                 the grader in that cgroup, too: a small machine
    .venv/bin/python -m bench.raft_labs --labs lab3a --skeleton    what a student is told at first: all sentences, and no more

Graded is the reference, as a student would have written it: a right submission takes longest, as all its tests run to their end.
It ends with 1 when a mark is not what it must be, with 2 when there can be no such limit here. See the load beside the figures.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.common import end_at_signals
from labs.grader.box import Box
from labs.grader.grading import until_it_fails
from labs.grader.lab import Lab, find_lab
from labs.grader.process import WorkerProcess
from labs.grader.result import Outcome
from labs.grader.running import Runner, patience
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.submission import Submission

__all__ = ["Spent", "graded", "limited", "main"]

_LABS = ("lab3a", "lab3b", "lab3c", "lab3d")
_PERIOD_US, _MEMORY_BYTES = 100_000, 768_000_000
_ROOT = Path("/sys/fs/cgroup")
_ENTER = 'for file in $MQ_ENTER; do echo $$ > "$file"; done; exec "$@"'


@dataclass(frozen=True, slots=True)
class Spent:
    """What a test took: seconds on the wall, and of the processor, of grader and workers. seeds: of 500 steps or more."""

    what: str
    seeds: int
    wall_s: float
    grader_s: float
    worker_s: float


@contextmanager
def limited(cores: float) -> Iterator[tuple[Path, ...]]:
    """Files that a process writes itself to in order to be limited. None when cores is 0. Raises: OSError where it cannot be."""
    if not cores:
        yield ()
        return
    name, quota_us = f"raft-labs-{os.getpid()}", int(cores * _PERIOD_US)
    if (_ROOT / "cgroup.controllers").is_file():
        settings = {_ROOT / name: {"cpu.max": f"{quota_us} {_PERIOD_US}", "memory.max": str(_MEMORY_BYTES)}}
    else:
        cpu = {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}
        settings = {_ROOT / "cpu" / name: cpu, _ROOT / "memory" / name: {"memory.limit_in_bytes": str(_MEMORY_BYTES)}}
    made: list[Path] = []
    try:
        for folder, values in settings.items():
            folder.mkdir()
            made.append(folder)
            for file, value in values.items():
                (folder / file).write_text(value, encoding="ascii")
        yield tuple(folder / "cgroup.procs" for folder in made)
    finally:
        for folder in made:
            _leave(folder)


def _leave(folder: Path) -> None:
    """Whoever is in there goes back to where all are, and the folder goes."""
    for pid in (folder / "cgroup.procs").read_text(encoding="ascii").split():
        (folder.parent / "cgroup.procs").write_text(pid, encoding="ascii")
    folder.rmdir()


def _start(entries: tuple[Path, ...], alive: list[int]) -> Callable[[Box, dict[str, object]], WorkerProcess]:
    """As in practice mode, in those cgroups. alive: gets the number of each process."""

    class Limited(WorkerProcess):
        def command(self, folder: Path) -> Sequence[str]:
            return ["/bin/sh", "-c", _ENTER, "sh", *super().command(folder)]

        def environment(self, folder: Path) -> dict[str, str]:
            return {**super().environment(folder), "MQ_ENTER": " ".join(map(str, entries))}

    def start(box: Box, opening: dict[str, Any]) -> WorkerProcess:
        worker = Limited(box.folder, opening, patience)
        alive.append(worker._process.pid)  # noqa: SLF001 - to see what it uses
        return worker

    return start


def _workers_s(alive: list[int]) -> float:
    """Of those that ended, and of those that are there."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = ended.ru_utime + ended.ru_stime
    for pid in alive:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


def graded(lab: Lab, files: dict[str, str], entries: tuple[Path, ...], tell: Callable[[Outcome], bool]) -> Iterator[Spent]:
    """Each part of a grade. tell: as in `labs.grader.grading.grade_of`."""
    submission, alive = Submission({name: text.encode() for name, text in files.items()}), list[int]()
    with Runner(lab, submission, Seeds(b"bench", submission.mark), _start(entries, alive)) as runner:
        begun, grader_s, worker_s = time.perf_counter(), time.process_time(), _workers_s(alive)
        for check, outcome in runner.parts():  # a test that is swept comes twice: when its cases have run, and at its end
            now, grader_now_s, worker_now_s = time.perf_counter(), time.process_time(), _workers_s(alive)
            what = "sentences" if check.ring == 1 else f"{check.number} {check.name}"
            seeds = outcome.schedules if outcome is not None and check.by_seed is not None and check.ring == 2 else 0
            yield Spent(what, seeds, now - begun, grader_now_s - grader_s, worker_now_s - worker_s)
            if outcome is not None and not tell(outcome):
                return
            begun, grader_s, worker_s = time.perf_counter(), time.process_time(), _workers_s(alive)


def _summed(parts: Sequence[Spent], what: str) -> Spent:
    some = [part for part in parts if what in ("", part.what)]
    sums = [sum(getattr(part, name) for part in some) for name in ("seeds", "wall_s", "grader_s", "worker_s")]
    return Spent(what or "together", *sums)


def _row(lab: str, part: Spent) -> str:
    return f"| {lab} | {part.what} | {part.seeds:,} | {part.wall_s:.1f} | {part.grader_s:.1f} | {part.worker_s:.1f} |"


def _measure(options: argparse.Namespace, entries: tuple[Path, ...]) -> int:
    print("| lab | test | seeds | seconds | of the processor: grader | worker |\n|---|---|---:|---:|---:|---:|")
    everything, is_bad = list[Spent](), False
    for short in options.labs:
        lab, outcomes = find_lab(short), list[Outcome]()
        goes_on = until_it_fails(lab)

        def tell(outcome: Outcome, outcomes: list[Outcome] = outcomes, goes_on: Callable[[Outcome], bool] = goes_on) -> bool:
            outcomes.append(outcome)
            return goes_on(outcome) if options.skeleton else True

        files = {
            name: text
            for name, text in (skeleton_of(lab) if options.skeleton else solution_of(lab)).items()
            if name != "__init__.py"
        }
        parts = list(graded(lab, files, entries, tell))
        for what in dict.fromkeys(part.what for part in parts):
            print(_row(lab.spoken, _summed(parts, what)), flush=True)
        everything += parts
        for outcome in outcomes:
            if outcome.is_passed == options.skeleton:
                is_bad = True
                print(f"{lab.spoken}, {outcome.number}: {outcome.message or 'it passes'}", file=sys.stderr)
    print(_row("all", _summed(everything, "")))
    whom = "everyone" if options.everyone else "the worker"
    limit = f"{options.cores:g} of a core and {_MEMORY_BYTES // 1_000_000} MB for {whom}" if options.cores else "none"
    print(f"\nLimit: {limit}. Load of the machine at the end: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores.")
    return 1 if is_bad else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench.raft_labs", description="What a full grade of the Raft labs takes.")
    parser.add_argument("--labs", nargs="+", default=_LABS, choices=_LABS, help="which (all four)")
    parser.add_argument(
        "--cores", type=float, default=0.5, help="so much of a processor for the worker; 0: no limit (%(default)s)"
    )
    parser.add_argument("--everyone", action="store_true", help="the grader shares that limit")
    parser.add_argument("--skeleton", action="store_true", help="grade what a student begins with, as `mq lab check` does")
    options = parser.parse_args(arguments)
    end_at_signals()
    try:
        with limited(options.cores) as entries:
            if options.everyone:
                for file in entries:
                    file.write_text(str(os.getpid()), encoding="ascii")
            return _measure(options, entries)
    except OSError as error:
        print(f"no limit can be set here ({error}): as root where cgroups may be made, or --cores 0", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
