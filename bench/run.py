"""All figures in one run, as a table.

    python -m bench.run [--only NAME ...] [--seconds S] [--rounds N] [--folder DIR] [--json FILE]
        [--faults N] [--minutes M] [--quick]

The table goes to standard output, progress to standard error. Exit status: 0 when all was measured, whether
or not a bar is met; a benchmark is no test. `--quick` shortens everything to see that it runs; its figures mean little.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

from bench import figures, growth
from bench.common import ROOT, end_at_signals, machine
from bench.failover import failover
from bench.figures import Setup, progress
from bench.group import group
from bench.raft import raft
from bench.table import Row, as_json, as_text

__all__: list[str] = []

FIGURES: dict[str, Callable[[Setup], list[Row]]] = {
    "batches": figures.batches,
    "single": figures.single,
    "receive": figures.receive,
    "lone": figures.lone,
    "official": figures.official,
    "opening": growth.opening,
    "memory": growth.memory,
    "raft": raft,
    "group": group,
    "failover": failover,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the figures of broker, Raft and world against their limits")
    parser.add_argument(
        "--only", action="append", choices=FIGURES, metavar="NAME", help=f"one of {', '.join(FIGURES)}; may be repeated"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of broker and peer in turns")
    parser.add_argument("--window", type=int, default=64, help="batch frames on the way")
    parser.add_argument(
        "--folder", type=Path, default=Path(gettempdir()), help="where data and peers' files are made; a real disk"
    )
    parser.add_argument("--faults", type=int, default=20, help="kills, and pauses, of a group's leader")
    parser.add_argument("--minutes", type=float, default=20.0, help="of full load on a group without faults")
    parser.add_argument("--json", type=Path, help="also write all rounds to this file")
    parser.add_argument("--quick", action="store_true", help="short and small, only to see that it runs")
    options = parser.parse_args()
    if options.seconds <= 0 or options.rounds < 1 or min(options.window, options.faults) < 1 or options.minutes <= 0:
        parser.error("--seconds, --rounds, --window, --faults and --minutes must be positive")
    return options


def main() -> None:
    options = _options()
    end_at_signals()
    os.chdir(ROOT)
    if options.quick:
        setup = Setup(
            options.folder, min(options.seconds, 1.0), min(options.rounds, 1), options.window, (50_000, 200_000), 64 << 20,
            min(options.faults, 2), min(options.minutes, 0.1),
        )  # fmt: skip
    else:
        setup = Setup(
            options.folder, options.seconds, options.rounds, options.window, (1_000_000, 10_000_000), 1 << 30,
            options.faults, options.minutes,
        )  # fmt: skip
    found, rows = machine(), list[Row]()
    for name in options.only or FIGURES:
        progress(f"{name}:")
        rows += FIGURES[name](setup)
        if options.json:
            options.json.write_text(as_json(found, rows) + "\n")
    print(as_text(found, rows))


if __name__ == "__main__":
    main()
