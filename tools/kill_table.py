"""The kill table: by what each wrong Raft dies, and that the right ones live. Writes `labs/stage3_raft/KILLS.md`.

    .venv/bin/python -m tools.kill_table                 everything; some minutes for each 100 seeds
    .venv/bin/python -m tools.kill_table --seeds 0       what is done in seconds; seeds are taken from the last time
    .venv/bin/python -m tools.kill_table --only figure8 --rights 0
    .venv/bin/python -m tools.kill_table --print         writes the table anew, and tries nothing
    .venv/bin/python -m tools.kill_table --try mine.py:Raft --seeds 20          one Raft of your own; nothing is written

What was found is noted at once in `kills.json`, so that it may be interrupted; `--more` keeps what has a killer among the seeds.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mq.core.errors import IllegalArgumentError, StateError
from mq.raft.node import RaftNode
from mq.sim.group.seeds import SeedResult, run_seeds
from mq.sim.load_raft import load_raft
from tools.killers import (
    LAB,
    ROOT,
    STEPS,
    by_paper,
    by_schedules,
    by_search,
    by_seeds,
    by_transcripts,
    class_of,
    names_of,
    place_of,
)
from tools.pypy import make_copy, same_traces
from tools.pypy import run_seeds as run_seeds_by_pypy

__all__ = ["main"]

NOTES, TABLE = LAB / "kills.json", LAB / "KILLS.md"
_SEARCHED = {"figure8": "figure8"}
_SEARCH_SECONDS = 60
_NOTED_MAX = 4
_NOTED_SEEDS = 500
_COMPARED = 25
_KINDS = ("sentence", "schedule", "transcript", "seed", "search")

Fate = dict[str, Any]


def read_notes(file: Path = NOTES) -> dict[str, Any]:
    """What was found so far."""
    empty: dict[str, Any] = {"wrong": {}, "right": {}}
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else empty


def _write_notes(notes: dict[str, Any]) -> None:
    NOTES.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"


# ---------------------------------------------------------------- trying


def _try_wrong(name: str, before: Fate, broken: list[str] | None, options: argparse.Namespace) -> Fate:
    """broken: sentences of the paper, if they were tried."""
    place, seeds = place_of("wrong", name), range(1, options.seeds + 1)
    fate = {**before, **_by_scripts(class_of("wrong", name), broken)}
    known = before.get("seeds", {"runs": 0, "seed": None})
    if seeds and not (options.more and (known["seed"] is not None or known["runs"] >= len(seeds))):
        fate["seeds"] = by_seeds(place, seeds)
    if options.search and name in _SEARCHED:
        fate["search"] = by_search(place, _SEARCHED[name], 1, _SEARCH_SECONDS)
    return fate


def _by_scripts(raft_class: type[RaftNode], broken: list[str] | None) -> Fate:
    """What sentences, transcripts and schedules say of it."""
    fate: Fate = {} if broken is None else {"paper": broken[:_NOTED_MAX], "sentences": len(broken)}
    ends = by_schedules(raft_class)
    fate["transcripts"] = by_transcripts(raft_class)[:_NOTED_MAX]
    fate["schedules"] = {name: ends[name] for name in sorted(ends)[:_NOTED_MAX]}
    return fate


def _try_one(place: str, options: argparse.Namespace) -> int:
    """Prints what kills somebody's own Raft. Returns 1 when anything does, 2 when there is no such Raft."""
    file, _, name = place.rpartition(":")
    place = f"{Path(file).resolve()}:{name}" if file else place
    try:
        raft_class = load_raft(place)
    except IllegalArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    broken = None if options.no_paper else by_paper(place)[place]
    fate = _by_scripts(raft_class, broken)
    if options.seeds:
        fate["seeds"] = by_seeds(place, range(1, options.seeds + 1))
    found = killers_of(fate)
    for kind in ("sentence", "schedule", "transcript", "seed"):
        print(f"{kind + ':':<12}{_cell(kind, fate, found) or 'none'}")
    for schedule, end in fate["schedules"].items():
        print(f"{'':<12}{schedule}: {end}")
    return 1 if found else 0


def _try_right(name: str, notes: dict[str, Any], options: argparse.Namespace) -> None:
    """Seeds go on where they ended the last time, and are noted as they are done."""
    place = place_of("right", name)
    fate = notes["right"][name] = {"seeds": 0, "broken": [], "seconds": 0.0, **notes["right"].get(name, {})}
    fate["paper"] = by_paper(place)[place]
    fate["schedules"] = by_schedules(class_of("right", name))
    first = fate["seeds"] + 1
    at_once = options.rights if options.pypy else _NOTED_SEEDS
    for start in range(first, first + options.rights, at_once):
        seeds = range(start, min(start + at_once, first + options.rights))
        begun = time.perf_counter()
        for result in _run(seeds, place, options):
            if result.promise:
                fate["broken"] = [*fate["broken"], [result.seed, result.promise]]
        fate["seeds"] += len(seeds)
        fate["pypy"] = fate.get("pypy", 0) + (len(seeds) if options.pypy else 0)
        fate["seconds"] = round(fate["seconds"] + time.perf_counter() - begun, 1)
        _write_notes(notes)
        print(f"{name}: {fate['seeds']:,} seeds, {len(fate['broken'])} broken", flush=True)


def _run(seeds: range, place: str, options: argparse.Namespace) -> Iterator[SeedResult]:
    """By this Python, or by PyPy, once it has shown that it does the same."""
    if not options.pypy:
        yield from run_seeds(seeds, STEPS, raft=f"{ROOT}/{place}", jobs=options.jobs)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        make_copy(copy)
        if not same_traces(copy, seeds[:_COMPARED], STEPS, place):
            raise StateError(f"{place}: in the first {_COMPARED} seeds PyPy does not do what this Python does")
        yield from run_seeds_by_pypy(copy, seeds, STEPS, place, jobs=options.jobs)


# ---------------------------------------------------------------- the table


def killers_of(fate: Fate) -> dict[str, str]:
    """Of each kind the first that kills, in the order of what they cost."""
    found = {}
    if fate.get("paper"):
        more = fate.get("sentences", len(fate["paper"])) - 1
        found["sentence"] = fate["paper"][0].partition("::")[2] + (f" and {more} more" if more else "")
    if fate.get("schedules"):
        found["schedule"] = _listed(sorted(fate["schedules"]))
    if fate.get("transcripts"):
        found["transcript"] = _listed(fate["transcripts"])
    seeds = fate.get("seeds", {})
    if seeds.get("seed") is not None:
        found["seed"] = f"{seeds['seed']} ({seeds['runs']} runs, {seeds['seconds']} s): {seeds['promise']}"
    if fate.get("search", {}).get("found"):
        found["search"] = f"{fate['search']['goal']} in {fate['search']['seconds']} s"
    return found


def _listed(names: Sequence[str]) -> str:
    """The first two, and how many more are noted; of more than that nothing is noted, which a `+` says."""
    more, is_full = len(names[2:]), len(names) >= _NOTED_MAX
    return ", ".join(names[:2]) + (f" and {more}{'+' if is_full else ''} more" if more else "")


def _cell(kind: str, fate: Fate, found: dict[str, str]) -> str:
    if kind in found:
        return found[kind]
    if kind == "seed" and fate.get("seeds"):
        return f"none in {fate['seeds']['runs']} ({fate['seeds']['seconds']} s)"
    return ""


def to_text(notes: dict[str, Any]) -> str:
    """The table, for people."""
    wrong, right = notes["wrong"], notes["right"]
    fates = {name: killers_of(fate) for name, fate in wrong.items()}
    unseeded = [name for name, found in fates.items() if "seed" not in found]
    of_kind = {kind: sum(kind in found for found in fates.values()) for kind in _KINDS}
    lines = [
        "# Who kills whom",
        "",
        f"Made by `python -m tools.kill_table` from commit {notes.get('commit', '?')} on {notes.get('machine', '?')};",
        f"{STEPS} steps a seed, seeds from 1 on. Read `README.md` first.",
        "",
        f"{len(wrong)} wrong Rafts: {sum(map(bool, fates.values()))} die,",
        f"{sum(len(found) > 1 for found in fates.values())} of them by killers of more than one kind;",
        f"{of_kind['sentence']} by a sentence of the paper, {of_kind['schedule']} by a schedule, {of_kind['seed']} by a seed,",
        f"{of_kind['transcript']} in a transcript, which shows every word, so that a right variant may differ there, too.",
        "",
        f"Those {len(unseeded)} were not found by the seeds that were tried, only by a script (a sentence, a schedule):",
        f"{', '.join(unseeded) or 'none'}.",
        "",
        f"Of schedules and transcripts the first {_NOTED_MAX} are noted, so `2+ more` are two at least.",
        "",
        "| wrong | sentence (`tests/paper`) | schedule | transcript | seed: the first that kills, runs and seconds | search |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | " + " | ".join(_cell(kind, wrong[name], fates[name]) for kind in _KINDS) + " |" for name in sorted(wrong)
    ]
    lines += [
        "",
        "## The right ones",
        "",
        "| right | seeds | broken | seconds | sentences that do not hold | schedules that do not pass |",
        "|---|---|---|---|---|---|",
    ]
    for name, fate in sorted(right.items()):
        sentences = ", ".join(test.partition("::")[2] for test in fate["paper"]) or "none"
        schedules = ", ".join(fate["schedules"]) or "none"
        lines.append(f"| {name} | {fate['seeds']:,} | {len(fate['broken'])} | {fate['seconds']} | {sentences} | {schedules} |")
    if any(fate.get("pypy") for fate in right.values()):
        by_pypy = ", ".join(f"{fate['pypy']:,} of {name}" for name, fate in sorted(right.items()) if fate.get("pypy"))
        lines += ["", f"Of these seeds PyPy ran {by_pypy} (`--pypy`, see `tools/pypy.py`)."]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.kill_table", description="By what each wrong Raft dies.")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="some of them")
    parser.add_argument(
        "--seeds", type=int, default=200, metavar="N", help="try the seeds 1 to N on each wrong one (%(default)s)"
    )
    parser.add_argument("--more", action="store_true", help="no seeds where a killer is known, or as many were tried")
    parser.add_argument(
        "--rights", type=int, default=200, metavar="N", help="so many more seeds for each right one (%(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="for the seeds of the right ones (%(default)s)")
    parser.add_argument(
        "--pypy",
        action="store_true",
        help=f"let pypy3 run those, after the first {_COMPARED} were compared; nothing is noted midway",
    )
    parser.add_argument("--no-paper", action="store_true", help="take the paper's sentences from the last time")
    parser.add_argument("--search", action="store_true", help="search, too: a minute for each that is searched")
    parser.add_argument("--try", dest="one", metavar="FILE:Class", help="try this one alone, print what kills it, write nothing")
    parser.add_argument("--print", action="store_true", help="only write the table from what is noted")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all wrong ones die and all right ones live; with --try, when nothing kills that one."""
    options = _parser().parse_args(arguments)
    if options.one:
        return _try_one(options.one, options)
    notes = read_notes()
    for kind in ("wrong", "right"):
        notes[kind] = {name: fate for name, fate in notes[kind].items() if name in names_of(kind)}
    tried = [] if options.print else [name for name in names_of("wrong") if not options.only or name in options.only]
    broken = {} if options.no_paper else by_paper(*(place_of("wrong", name) for name in tried))
    for name in tried:
        fate = _try_wrong(name, notes["wrong"].get(name, {}), broken.get(place_of("wrong", name)), options)
        notes["wrong"][name] = fate
        print(f"{name}: {killers_of(fate) or 'LIVES'}", flush=True)
        _write_notes(notes)
    for name in [] if options.print else names_of("right"):
        if options.rights and (not options.only or name in options.only):
            _try_right(name, notes, options)
    if not options.print:
        notes["commit"], notes["machine"] = _commit(), _machine()
        _write_notes(notes)
    TABLE.write_text(to_text(notes), encoding="utf-8")
    alive = [name for name, fate in notes["wrong"].items() if not killers_of(fate)]
    dead = [name for name, fate in notes["right"].items() if fate["broken"]]
    print(f"{len(notes['wrong'])} wrong, {len(alive)} of them alive {alive}; {len(notes['right'])} right, broken: {dead}")
    return 1 if alive or dead else 0


if __name__ == "__main__":
    sys.exit(main())
