"""The kill table: by what each wrong Raft dies, and that the right ones live. Writes `labs/stage3_raft/KILLS.md`.

    .venv/bin/python -m tools.kill_table                 all of it: scripts, 100 seeds on each wrong one, 20,000 on each right
    .venv/bin/python -m tools.kill_table --rights 0      all but the seeds of the right ones
    .venv/bin/python -m tools.kill_table --only figure8 --seeds 20
    .venv/bin/python -m tools.kill_table --stale         says what in the table is of other code than what is here; tries nothing
    .venv/bin/python -m tools.kill_table --print         writes the table anew, and tries nothing
    .venv/bin/python -m tools.kill_table --try mine.py:Raft --seeds 20          one Raft of your own; nothing is written

What was found is noted at once in `kills.json`, with a mark of the code that it was found with. So it may be interrupted and
called again: what is known of this code is not tried again, and what is of other code is tried anew.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mq.core.errors import IllegalArgumentError, StateError
from mq.raft.node import RaftNode
from mq.sim.arguments import read_jobs, read_seed
from mq.sim.group.seeds import SeedResult, calm_collector, run_seeds
from mq.sim.load_raft import load_raft
from tools.kill_notes import KINDS, Notes
from tools.kill_text import cell_of, killers_of, spared_killers, to_text
from tools.killers import (
    LAB,
    ROOT,
    SEARCHED,
    STEPS,
    Tried,
    by_search,
    by_seeds,
    class_of,
    each_by_paper,
    names_of,
    place_of,
    try_schedules,
    try_transcripts,
)
from tools.pypy import make_copy, same_traces
from tools.pypy import run_seeds as run_seeds_by_pypy

__all__ = ["main"]

TABLE = LAB / "KILLS.md"
_SEEDS, _RIGHTS, _JOBS = 100, 20_000, 2
_SEARCH_SECONDS, _SEARCH_SEED = 60, 1
_NOTED_SEEDS = 500
_COMPARED = 25

_Options = argparse.Namespace


# ---------------------------------------------------------------- wrong ones and right ones: scripts


def _by_scripts(raft_class: type[RaftNode], sentences: Tried | None) -> dict[str, Any]:
    """What sentences, schedules and transcripts say of it. sentences: None when they were not tried."""
    tried = {} if sentences is None else {"sentences": sentences.to_plain()}
    return {**tried, "schedules": try_schedules(raft_class).to_plain(), "transcripts": try_transcripts(raft_class).to_plain()}


def _try_scripts(notes: Notes, options: _Options) -> None:
    """Of all that are to be tried, the right ones first: what those break kills nobody."""
    todo = {
        place_of(kind, name): (kind, name) for kind, name in _chosen(options) if _is_due(notes, kind, name, "scripts", options)
    }
    for place, tried in each_by_paper(list(todo), options.jobs):
        kind, name = todo[place]
        notes.note(kind, name, "scripts", _by_scripts(class_of(kind, name), tried))
        found = killers_of(notes.plain[kind][name])
        print(f"{name}: {', '.join(found) or 'no script'}", flush=True)


def _chosen(options: _Options) -> list[tuple[str, str]]:
    return [(kind, name) for kind in KINDS for name in names_of(kind) if not options.only or name in options.only]


def _is_due(notes: Notes, kind: str, name: str, part: str, options: _Options) -> bool:
    return options.anew or notes.part(kind, name, part) is None


# ---------------------------------------------------------------- wrong ones: seeds, searches


def _try_seeds(notes: Notes, options: _Options) -> None:
    def is_due(name: str) -> bool:
        known = notes.part("wrong", name, "seeds")
        return options.anew or known is None or known["of"] != options.seeds

    names = [name for kind, name in _chosen(options) if kind == "wrong" and is_due(name)]
    if not options.seeds or not names:
        return
    # A fresh interpreter each: a fork of a process that has threads may never wake up.
    with get_context("spawn").Pool(options.jobs, _begin_worker) as pool:
        for name, result in pool.imap_unordered(partial(_seeds_of, count=options.seeds), names):
            notes.note("wrong", name, "seeds", {**result, "of": options.seeds})
            print(f"{name}: seed {cell_of('seed', notes.plain['wrong'][name])}", flush=True)


def _begin_worker() -> None:
    """What somebody's Raft prints is no part of the summary."""
    sys.stdout = sys.stderr
    calm_collector()


def _seeds_of(name: str, count: int) -> tuple[str, dict[str, Any]]:
    return name, by_seeds(place_of("wrong", name), range(1, count + 1))


def _search(notes: Notes, options: _Options) -> None:
    for kind, name in _chosen(options):
        if kind == "wrong" and name in SEARCHED and _is_due(notes, kind, name, "search", options):
            result = by_search(place_of(kind, name), SEARCHED[name], _SEARCH_SEED, _SEARCH_SECONDS)
            notes.note(kind, name, "search", result)
            print(f"{name}: search {cell_of('search', notes.plain[kind][name])}", flush=True)


# ---------------------------------------------------------------- right ones: seeds


def _try_rights(notes: Notes, options: _Options) -> None:
    names = [name for kind, name in _chosen(options) if kind == "right"]
    todo = [name for name in names if options.anew or _known_of_right(notes, name)["runs"] < options.rights]
    if not todo:
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) if options.pypy else None
        if copy is not None:
            make_copy(copy)
            for name in todo:
                notes.check("right", name)  # so the copy is of the code that the marks are of, whatever changes from now on
        for name in todo:
            _try_right(name, notes, options, copy)


def _known_of_right(notes: Notes, name: str) -> dict[str, Any]:
    return notes.part("right", name, "seeds") or {"runs": 0, "broken": [], "seconds": 0.0, "pypy": 0}


def _try_right(name: str, notes: Notes, options: _Options, copy: Path | None) -> None:
    """Seeds go on where those of this code ended, and are noted as they are done. copy: for PyPy."""
    if options.anew:
        notes.forget("right", name, "seeds")
    known = _known_of_right(notes, name)
    begun = time.perf_counter()
    for results in _batches(range(known["runs"] + 1, options.rights + 1), name, options.jobs, copy):
        now = time.perf_counter()
        known = {
            "runs": known["runs"] + len(results),
            "broken": known["broken"] + [[result.seed, result.promise] for result in results if result.promise],
            "seconds": round(known["seconds"] + now - begun, 1),
            "pypy": known["pypy"] + (len(results) if copy is not None else 0),
        }
        begun = now
        notes.note("right", name, "seeds", known, is_of_copy=copy is not None)
        print(f"{name}: {known['runs']:,} seeds, {len(known['broken'])} broken", flush=True)


def _batches(seeds: range, name: str, jobs: int, copy: Path | None) -> Iterator[list[SeedResult]]:
    """Seeds one behind the other, by this Python, or by PyPy, once it has shown that it does the same."""
    place = place_of("right", name)
    if copy is None:
        for first in range(0, len(seeds), _NOTED_SEEDS):
            yield list(run_seeds(seeds[first : first + _NOTED_SEEDS], STEPS, raft=f"{ROOT}/{place}", jobs=jobs))
        return
    if not same_traces(copy, seeds[:_COMPARED], STEPS, place):
        raise StateError(f"{place}: in the first {_COMPARED} seeds PyPy does not do what this Python does")
    results = run_seeds_by_pypy(copy, seeds, STEPS, place, jobs=jobs)
    while batch := list(islice(results, _NOTED_SEEDS)):
        yield batch


# ---------------------------------------------------------------- one of your own


def _try_one(options: _Options) -> int:
    """Prints what kills somebody's own Raft. Returns 1 when anything does, 2 when there is no such Raft."""
    file, _, name = options.one.rpartition(":")
    place = f"{Path(file).resolve()}:{name}" if file else options.one
    try:
        raft_class = load_raft(place)
    except IllegalArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    sentences = None if options.no_paper else dict(each_by_paper([place]))[place]
    row = {"scripts": _by_scripts(raft_class, sentences)}
    if options.seeds:
        row["seeds"] = {**by_seeds(place, range(1, options.seeds + 1)), "of": options.seeds}
    for kind in ("sentence", "schedule", "transcript", "seed"):
        print(f"{kind + ':':<12}{cell_of(kind, row) or 'not tried'}")
    for schedule, end in row["scripts"]["schedules"]["killers"].items():
        print(f"{'':<12}{schedule}: {end}")
    return 1 if killers_of(row) else 0


# ---------------------------------------------------------------- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.kill_table", description="By what each wrong Raft dies.")
    add = parser.add_argument
    add("--only", nargs="*", default=[], metavar="NAME", choices=[name for kind in KINDS for name in names_of(kind)], help="some")
    add("--seeds", type=read_seed, default=_SEEDS, metavar="N", help="try the seeds 1 to N on each wrong one (%(default)s)")
    so_far = "on each right one, behind those that were tried with this code"
    add("--rights", type=read_seed, default=_RIGHTS, metavar="N", help=f"the seeds 1 to N {so_far} (%(default)s)")
    add("--no-search", action="store_true", help=f"leave out the searches, of {_SEARCH_SECONDS} s each")
    add("--anew", action="store_true", help="also what is known of this code")
    add("--jobs", type=read_jobs, default=_JOBS, metavar="N", help="processes at a time (%(default)s)")
    is_found = shutil.which("pypy3") is not None
    by_pypy = f"let pypy3 run those, after {_COMPARED} seeds were compared; where it is found, unless told otherwise"
    add("--pypy", action=argparse.BooleanOptionalAction, default=is_found, help=by_pypy)
    add("--try", dest="one", metavar="FILE:Class", help="try this one alone, print what kills it, write nothing")
    add("--no-paper", action="store_true", help="with --try: leave out the paper's sentences")
    add("--print", action="store_true", help="only write the table from what is noted")
    add("--stale", action="store_true", help="only say what in the table is of other code, and write nothing")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all wrong ones die, each by something that spares the right ones, and all right ones live through all seeds.

    With --try: when nothing kills that one; with --stale: when nothing is of other code.
    """
    options = _parser().parse_args(arguments)
    if options.one:
        return _try_one(options)
    notes = Notes()
    if options.stale:
        return _say_stale(notes)
    if not options.print:
        _try_scripts(notes, options)
        _try_seeds(notes, options)
        if not options.no_search:
            _search(notes, options)
        if options.rights:
            _try_rights(notes, options)
    notes.write()
    TABLE.write_text(to_text(notes.plain), encoding="utf-8")
    return _say_end(notes)


def _say_stale(notes: Notes) -> int:
    for kind, name, part in notes.plain["stale"]:
        print(f"{kind} {name}: {part} of older code")
    print(f"{len(notes.plain['stale'])} parts of rows are of other code than what is here")
    return 1 if notes.plain["stale"] else 0


def _say_end(notes: Notes) -> int:
    """What is left to do."""
    right = {name: _fresh_row(notes, "right", name) for name in names_of("right")}
    wrong = {name: _fresh_row(notes, "wrong", name) for name in names_of("wrong")}
    untried = [name for name, row in {**right, **wrong}.items() if "scripts" not in row]
    alive = [name for name, row in wrong.items() if name not in untried and not killers_of(row)]
    unsharp = [name for name, row in wrong.items() if killers_of(row) and not any(spared_killers(row, right))]
    dead = [name for name, row in right.items() if row.get("seeds", {"broken": []})["broken"]]
    short = [name for name, row in right.items() if row.get("seeds", {"runs": 0})["runs"] < _RIGHTS]
    print(f"{len(wrong)} wrong, alive: {alive or 'none'}; dead by nothing but what right ones break, too: {unsharp or 'none'}")
    print(f"{len(right)} right, broken: {dead or 'none'}; by fewer than {_RIGHTS:,} seeds: {short or 'none'}")
    print(f"not tried: {len(untried)} Rafts; of other code: {len(notes.plain['stale'])} parts of rows")
    return 1 if untried or alive or unsharp or dead or short else 0


def _fresh_row(notes: Notes, kind: str, name: str) -> dict[str, Any]:
    parts = ((part, notes.part(kind, name, part)) for part in notes.plain[kind][name])
    return {part: found for part, found in parts if found is not None}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped; what was found so far is noted, but for --try, and the same command goes on", file=sys.stderr)
        sys.exit(130)
