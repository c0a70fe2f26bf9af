"""A class of many submissions of a lab, graded by one command: how long, and how much memory the command itself takes as it goes.

    .venv/bin/python -m bench.a_class [--submissions 100] [--jobs 2] [--lab lab1a]

Every tenth of them is right; of the others the first few functions are written, some more in each. In the middle the command is
killed, and begun again. The table goes to standard output, progress to standard error. It ends with 1 when a mark is not what it
must be. The figures are for the machine that it runs on: see its load beside them.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from bench.common import end_at_signals
from labs.grader.lab import Lab, find_lab
from labs.grader.skeleton import solution_of, write_all, written_up_to

__all__ = ["main", "make_class"]

_RIGHT_EVERY = 10
_LOOK_EVERY_S = 0.5
_COMMAND = "import sys; from mq.cli.main import main; sys.exit(main(sys.argv[1:]))"


def make_class(lab: Lab, folder: Path, count: int) -> dict[str, bool]:
    """Write the submissions. Returns which of them are right."""
    found = {}
    kinds = {part: written_up_to(lab, part) for part in range(min(count, len(lab.blanks)))}
    solution = solution_of(lab)
    for number in range(count):
        name, is_right = f"student_{number:03}", number % _RIGHT_EVERY == 0
        files = solution if is_right else kinds[number % len(kinds)]
        # Everybody's file is their own, so that no grade is known from another's.
        write_all(folder / name, {**files, lab.organ_file: f"{files[lab.organ_file]}\n# handed in by {name}\n"})
        found[name] = is_right
    return found


class Watch:
    """The resident memory of a process, looked at as it goes."""

    def __init__(self, pid: int) -> None:
        self.mib: list[float] = []
        self._process = psutil.Process(pid)
        self._is_over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            try:
                self.mib.append(self._process.memory_info().rss / (1 << 20))
            except psutil.Error:
                return

    def end(self) -> None:
        """No more."""
        self._is_over.set()


def _run(command: list[str], label: str, stop_after: int | None = None) -> tuple[int, float, list[float]]:
    """Run it, and kill it when so many are done. Returns how many were, the seconds, and its memory as it went."""
    begun, done = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        watch = Watch(process.pid)
        try:
            for line in process.stderr:
                number, slash, _ = line.partition("/")
                if not slash or not number.isdecimal():
                    continue
                done = int(number)
                print(f"{label}: {done}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
                if done == stop_after:
                    break
            else:
                process.wait()
        finally:
            process.kill()
            watch.end()
    return done, time.monotonic() - begun, watch.mib


def main() -> int:
    """Measure, print, compare the marks with what they must be."""
    parser = argparse.ArgumentParser(prog="python -m bench.a_class")
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=max(1, os.cpu_count() or 1))
    parser.add_argument("--lab", default="lab1a")
    options = parser.parse_args()
    end_at_signals()
    lab = find_lab(options.lab)
    with tempfile.TemporaryDirectory(prefix="mq-class-") as place:
        handed_in, out = Path(place) / "handed_in", Path(place) / "results"
        right = make_class(lab, handed_in, options.submissions)
        command = [sys.executable, "-c", _COMMAND, "lab", "grade", lab.short, str(handed_in), "--seed", "1"]
        command += ["--jobs", str(options.jobs), "--out", str(out)]
        first = _run(command, "until it is killed", stop_after=options.submissions // 2)
        rest = _run(command, "begun again")
        again = _run(command, "nothing to do")
        with (out / "class.csv").open(newline="") as file:
            marks = {row["name"]: int(row["score"] or -1) for row in csv.DictReader(file)}
    machine = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.0f}"
    print(f"{options.submissions} submissions of {lab.short}, {options.jobs} at once, {machine}\n")
    print("| run | done | seconds | MiB of the command after 10, 50, 100 % of the time, and the most |\n|---|---:|---:|---|")
    for name, (done, seconds, mib) in (("until it was killed", first), ("begun again", rest), ("nothing to do", again)):
        shown = [mib[min(len(mib) - 1, int(len(mib) * part))] for part in (0.1, 0.5, 1.0)] if mib else []
        memory = ", ".join(f"{value:.0f}" for value in [*shown, *([max(mib)] if mib else [])]) or "-"
        print(f"| {name} | {done} | {seconds:.0f} | {memory} |")
    full = sum(check.points for check in lab.suite.checks)
    wrong = [name for name, is_right in right.items() if (marks.get(name) == full) != is_right]
    print(f"\nmarks that are not what they must be: {', '.join(wrong) or 'none'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
