"""Whether a lab's right solutions ever break a promise: long nights of seeded schedules, in processes of ours, without a border.

    .venv/bin/python -m tools.lab_nights lab1a                      200,000 schedules for each; writes NIGHTS.md
    .venv/bin/python -m tools.lab_nights lab1a --schedules 1000     so many; writes nothing unless --out says where

Run are the reference and all of `right/`, through each test that has seeds, as often through one as through another. With
`--resume FILE` it goes on where it was stopped, as long as the code is the same. Ends with 1 when a schedule failed.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labs.grader.box import ROOT, needed_by
from labs.grader.explaining import explain
from labs.grader.lab import Lab, find_lab
from labs.grader.loading import organ_in
from labs.grader.skeleton import solution_of
from labs.grader.suite import Check, Run
from tools.lab_kills import solutions
from tools.lab_marks import mark_of, stamp

__all__ = ["Night", "code_mark", "main", "places_of", "played", "table_of"]

_SCHEDULES = 200_000
_BLOCK = 25
"""So many seeds of each test are one piece of work: a moment to a minute."""
_TOLD_MAX, _TELL_EVERY_S = 5, 10.0


@dataclass(slots=True)
class Night:
    """What came of one solution. blocks: which are done. failures: test, seed and sentence of each schedule that failed."""

    schedules: int = 0
    steps: int = 0
    seconds: float = 0.0
    blocks: list[int] = field(default_factory=list)
    failures: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, block: int, more: "Night") -> None:
        """A block that is done."""
        self.blocks.append(block)
        self.schedules += more.schedules
        self.steps += more.steps
        self.seconds += more.seconds
        self.failures += more.failures


def places_of(lab: Lab, scratch: Path) -> dict[str, Path]:
    """Where each solution is that must break nothing, by name. scratch: the reference is written there as a student has it."""
    reference = scratch / "reference"
    reference.mkdir(exist_ok=True)
    for name, text in solution_of(lab).items():
        (reference / name).write_text(text, encoding="utf-8")
    return {"the reference": reference, **{file.stem: file for file in solutions(lab, "right")}}


def code_mark(lab: Lab, place: Path) -> str:
    """Eight digits that change with the code that a night of this solution depends on."""
    modules = {lab.suite_module, *(name.removesuffix(".py").replace("/", ".") for name in lab.files.values())}
    files = [ROOT / file for file in needed_by(modules, ())]
    files += [place] if place.is_file() else sorted(place.rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:8]


def _seeded(lab: Lab) -> list[Check]:
    return [check for check in lab.suite.checks if check.by_seed is not None]


@cache
def _organ(lab_name: str, place: Path) -> tuple[Lab, Any]:
    lab = find_lab(lab_name)
    return lab, organ_in(place, lab.organ_file, lab.seam.name)


def played(lab_name: str, place: Path, block: int) -> Night:
    """One block of seeds, through every test that has some."""
    lab, make = _organ(lab_name, place)
    begun, night = time.perf_counter(), Night()
    for check in _seeded(lab):
        assert check.by_seed is not None
        for seed in range(block * _BLOCK, (block + 1) * _BLOCK):
            case, run = check.by_seed(seed), Run()
            night.schedules += 1
            night.steps += len(case.steps)
            try:
                case.play(make, case.steps, run)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is to be looked at
                night.failures.append((check.number, seed, explain(error, run).sentence))
    night.seconds = time.perf_counter() - begun
    return night


def _known(lab: Lab, places: Mapping[str, Path], keep: Path | None) -> dict[str, Night]:
    """What was done before, by the same code."""
    kept = json.loads(keep.read_text(encoding="utf-8")) if keep is not None and keep.exists() else {}
    found = {}
    for name, place in places.items():
        mark, told = kept.get(name, ("", {}))
        same = mark == code_mark(lab, place)
        found[name] = Night(**{**told, "failures": [tuple(one) for one in told["failures"]]}) if same else Night()
    return found


def _keep(lab: Lab, places: Mapping[str, Path], nights: Mapping[str, Night], keep: Path) -> None:
    half = keep.with_suffix(".half")
    told = {name: (code_mark(lab, places[name]), asdict(night)) for name, night in nights.items()}
    half.write_text(json.dumps(told) + "\n", encoding="utf-8")
    half.replace(keep)


def _run(lab: Lab, places: Mapping[str, Path], nights: Mapping[str, Night], wanted: int, jobs: int) -> Iterator[str]:
    """The name of each solution of which a block was done."""
    a_block = _BLOCK * len(_seeded(lab))
    with ProcessPoolExecutor(jobs) as pool:
        under_way = {
            pool.submit(played, lab.short, places[name], block): (name, block)
            for name, night in nights.items()
            for block in range(-(-wanted // a_block))
            if block not in night.blocks
        }
        for done in as_completed(under_way):
            name, block = under_way[done]
            nights[name].add(block, done.result())
            yield name


def _nights(lab: Lab, places: Mapping[str, Path], wanted: int, jobs: int, keep: Path | None) -> dict[str, Night]:
    """All of them, told and kept as they go."""
    nights = _known(lab, places, keep)
    told_s = time.monotonic()
    for name in _run(lab, places, nights, wanted, jobs):
        if time.monotonic() - told_s > _TELL_EVERY_S:
            told_s = time.monotonic()
            print(f"{name}: {nights[name].schedules:,} schedules, {len(nights[name].failures)} failed", flush=True)
            if keep is not None:
                _keep(lab, places, nights, keep)
    if keep is not None:
        _keep(lab, places, nights, keep)
    return nights


def table_of(lab: Lab, nights: Mapping[str, Night], wanted: int, begun_with: str) -> str:
    """NIGHTS.md. begun_with: the mark of the code at the beginning."""
    tests = ", ".join(check.number for check in _seeded(lab))
    lines = [
        f"# {lab.spoken.capitalize()}: long nights of its right solutions",
        "",
        f"Made by `.venv/bin/python -m tools.lab_nights {lab.short} --schedules {wanted}` at {stamp(lab, begun_with)},",
        f"Python {platform.python_version()}, {os.cpu_count()} processors. Seeds 0 and up of the tests {tests},",
        "as many of each, in processes of ours: nothing is isolated and nothing has a time limit here. A step is one thing that",
        "is done to the organ.",
        "",
        "| right | schedules | steps | failed | seconds |",
        "|---|---:|---:|---|---:|",
    ]
    for name, night in nights.items():
        some = "; ".join(f"{number}, seed {seed}: {why}" for number, seed, why in night.failures[:_TOLD_MAX])
        failed = f"{len(night.failures)}: {some}" if night.failures else "0"
        lines.append(f"| {name} | {night.schedules:,} | {night.steps:,} | {failed} | {night.seconds:,.0f} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them all; returns 1 when a schedule failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.lab_nights", description="Right solutions through long nights.")
    parser.add_argument("lab")
    parser.add_argument("--schedules", type=int, default=_SCHEDULES, help="so many for each solution, at least")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="so many processes at a time")
    parser.add_argument("--resume", type=Path, help="a file for what is known already")
    parser.add_argument("--out", type=Path, help=f"where the table goes; that of {_SCHEDULES:,} goes into the lab's folder")
    options = parser.parse_args(arguments)
    lab = find_lab(options.lab)
    begun_with = mark_of(lab)
    with TemporaryDirectory() as scratch:
        nights = _nights(lab, places_of(lab, Path(scratch)), options.schedules, options.jobs, options.resume)
    table = table_of(lab, nights, options.schedules, begun_with)
    print(table)
    out = options.out or (lab.folder / "NIGHTS.md" if options.schedules >= _SCHEDULES else None)
    if out is not None:
        out.write_text(table, encoding="utf-8")
    return int(any(night.failures for night in nights.values()))


if __name__ == "__main__":
    sys.exit(main())
