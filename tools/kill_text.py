"""The kill table as people read it: `labs/stage3_raft/KILLS.md`, made from the notes of `tools/kill_table.py` alone."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tools.kill_notes import KINDS, PARTS
from tools.killers import STEPS

__all__ = ["cell_of", "killers_of", "spared_killers", "to_text"]

Row = dict[str, Any]

_SCRIPTS = {"sentence": "sentences", "schedule": "schedules", "transcript": "transcripts"}
KILLERS = (*_SCRIPTS, "seed", "search")
"""The kinds of killers, in the order of what they cost."""

_OF_RIGHT = (
    "seeds",
    "broken",
    "seconds",
    "of these by PyPy",
    "sentences that do not hold",
    "schedules that do not pass",
    "schedules that say nothing about it",
    "transcripts that differ",
)


def _short(kind: str, name: str) -> str:
    return name.partition("::")[2] if kind == "sentence" else name


def _nth(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def killers_of(row: Row) -> dict[str, str]:
    """Of each kind of killers the first that kills, and how soon; and how many more do."""
    scripts, seeds, search = (row.get(part, {}) for part in PARTS)
    found = {}
    for kind, plural in _SCRIPTS.items():
        tried = scripts.get(plural)
        if tried and tried["killers"]:
            more = len(tried["killers"]) - 1
            soon = f"({_nth(tried['runs'])} of {tried['of']}, {tried['seconds']:.2f} s)"
            found[kind] = f"{_short(kind, tried['first'])} {soon}" + (f", {more} more" if more else "")
    if seeds.get("seed") is not None:
        found["seed"] = f"{seeds['seed']} ({_nth(seeds['runs'])} of {seeds['of']}, {seeds['seconds']:.2f} s): {seeds['promise']}"
    if search.get("found"):
        found["search"] = f"{search['goal']}, seed {search['seed']} ({search['looked']}, {search['seconds']:.1f} s)"
    return found


def cell_of(kind: str, row: Row) -> str:
    """Of one kind of killers: the first, or in how many and in which time there was none; empty where none was tried."""
    found = killers_of(row)
    if kind in found:
        return found[kind]
    scripts, seeds, search = (row.get(part, {}) for part in PARTS)
    if kind in _SCRIPTS and scripts:
        tried = scripts.get(_SCRIPTS[kind])
        return f"none of {tried['of']} ({tried['seconds']:.2f} s)" if tried else ""
    if kind == "seed" and seeds:
        return f"none of {seeds['of']} ({seeds['seconds']:.2f} s)"
    return f"none ({search['looked']}, {search['seconds']:.1f} s)" if kind == "search" and search else ""


def spared_killers(row: Row, rights: dict[str, Row]) -> Iterator[tuple[str, str]]:
    """(kind, name) of all that kill this one and none of the right ones; nothing where one of those was not tried."""
    scripts, seeds = row.get("scripts", {}), row.get("seeds", {})
    if all("scripts" in right for right in rights.values()):
        for kind, plural in _SCRIPTS.items():
            broken = {name for right in rights.values() for name in right["scripts"][plural]["killers"]}
            names = sorted(scripts.get(plural, {}).get("killers", {}), key=lambda name: (name != scripts[plural]["first"], name))
            yield from ((kind, name) for name in names if name not in broken)
    seed = seeds.get("seed")
    if seed is not None and all(_lives_through(seed, right) for right in rights.values()):
        yield "seed", str(seed)


def _lives_through(seed: int, right: Row) -> bool:
    seeds = right.get("seeds", {"runs": 0, "broken": []})
    return seed <= seeds["runs"] and seed not in {each[0] for each in seeds["broken"]}


# ---------------------------------------------------------------- of which code


def _fresh(notes: dict[str, Any]) -> dict[str, dict[str, Row]]:
    """By kind and name, the parts that are of the code that the table is about."""
    stale = {tuple(each) for each in notes["stale"]}
    return {
        kind: {
            name: {part: found for part, found in row.items() if (kind, name, part) not in stale}
            for name, row in notes[kind].items()
        }
        for kind in KINDS
    }


def _of(row: Row) -> str:
    return " ".join(f"`{row[part]['code']}`" for part in PARTS if part in row)


def _older(kind: str, name: str, part: str, notes: dict[str, Any]) -> str:
    found = notes[kind][name][part]
    count = f", {found['runs']:,} seeds" if kind == "right" and part == "seeds" else ""
    return f"{name}: {part}{count} (`{found['code']}`, {found['date']}, commit {found['commit']})"


def _origins(notes: dict[str, Any], fresh: dict[str, dict[str, Row]]) -> list[str]:
    made = notes["made"]
    commits = Counter(
        f"{found['date']} at commit {found['commit']}"
        for rows in fresh.values()
        for row in rows.values()
        for found in row.values()
    )
    marks = ", ".join(f"`{made[f'{part} code']}` for {part}" for part in PARTS)
    lines = [
        f"All that is told here was tried with one core and one world ({marks}),",
        f"on {made['machine']}: {', '.join(f'{count} parts of rows on {origin}' for origin, count in sorted(commits.items()))}.",
        "*of* names a row's code, eight digits a part: of core, world, that Raft and all scripts; of the same without scripts,",
        "for seeds (`code_mark` of `mq/sim/group/seeds.py`); of these and the search, where one is. What is of other code than",
        "your checkout is told by `.venv/bin/python -m tools.kill_table --stale`.",
    ]
    if notes["stale"]:
        lines += ["", "Of older code, and so not told here and not counted:"]
        lines += [f"- {_older(kind, name, part, notes)}" for kind, name, part in notes["stale"]]
    return lines


# ---------------------------------------------------------------- the text


def _head(notes: dict[str, Any], fresh: dict[str, dict[str, Row]]) -> list[str]:
    wrong, right = fresh["wrong"], fresh["right"]
    fates = {name: killers_of(row) for name, row in wrong.items()}
    seeded = [name for name in wrong if "seeds" in wrong[name]]
    unseeded = [name for name in seeded if "seed" not in fates[name]]
    counts = sorted({wrong[name]["seeds"]["of"] for name in seeded})
    lives = [name for name, found in fates.items() if not found]
    of_kind = {kind: sum(kind in found for found in fates.values()) for kind in KILLERS}
    seeds = " or ".join(map(str, counts)) or "no"
    kinds = sum(len(found) > 1 for found in fates.values())
    spared = sum(any(spared_killers(row, right)) for row in wrong.values())
    return [
        "# Who kills whom",
        "",
        "Made by one command, `.venv/bin/python -m tools.kill_table`: on each wrong Raft all sentences, schedules and",
        f"transcripts, {seeds} seeds of {STEPS} steps, from 1 on, until one kills, and a search where one is; on each right one",
        "the same scripts, and 20,000 seeds, from 1 on. Read `README.md` first.",
        "",
        *_origins(notes, fresh),
        "",
        f"{len(wrong)} wrong Rafts: {len(wrong) - len(lives)} die, {kinds} of them by killers of more than one kind;",
        f"{of_kind['sentence']} by a sentence of the paper, {of_kind['schedule']} by a schedule, {of_kind['seed']} by a seed,",
        f"{of_kind['transcript']} in a transcript, which shows every word, so that a right variant may differ there, too.",
        f"Not known to die: {', '.join(lives) or 'none'}. {spared} have a killer that spares all right ones.",
        "",
        f"Of {len(seeded)} the seeds did not find {len(unseeded)}, only a script (a sentence, a schedule) did:",
        f"{', '.join(unseeded) or 'none'}.",
        "",
        "`(57th of 285, 0.41 s)`: they were run one after the other, and the 57th was the first that killed, after 0.41 s.",
    ]


def to_text(notes: dict[str, Any]) -> str:
    """The table, for people."""
    fresh = _fresh(notes)
    wrong, right = fresh["wrong"], fresh["right"]
    lines = [
        *_head(notes, fresh),
        "",
        "| wrong | sentence (`tests/paper`) | schedule | transcript | seed | search | a killer that spares all right ones | of |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in sorted(wrong.items()):
        cells = [name, *(cell_of(kind, row) for kind in KILLERS), _spares(row, right), _of(row)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "## The right ones",
        "",
        f"| right | {' | '.join(_OF_RIGHT)} | of |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in sorted(right.items()):
        lines.append("| " + " | ".join([name, *_seeds_of_right(row), *_scripts_of_right(row), _of(row)]) + " |")
    lines += ["", "How PyPy runs them, and how it is held against CPython: `tools/pypy.py`."]
    return "\n".join(lines) + "\n"


def _spares(row: Row, right: dict[str, Row]) -> str:
    """By its name, where that does not stand in the row already."""
    kind, killer = next(spared_killers(row, right), ("", ""))
    if not kind:
        return "not known"
    is_told = kind not in _SCRIPTS or row["scripts"][_SCRIPTS[kind]]["first"] == killer
    return f"the {kind}" if is_told else f"{kind} {_short(kind, killer)}"


def _seeds_of_right(row: Row) -> list[str]:
    seeds = row.get("seeds")
    if seeds is None:
        return ["none yet of this code", "", "", ""]
    broken = ", ".join(f"{seed}: {promise}" for seed, promise in seeds["broken"])
    return [f"{seeds['runs']:,}", broken or "0", f"{seeds['seconds']:,}", f"{seeds['pypy']:,}"]


def _scripts_of_right(row: Row) -> list[str]:
    scripts = row.get("scripts")
    if scripts is None:
        return ["not tried", "", "", ""]
    sentences = ", ".join(_short("sentence", test) for test in sorted(scripts["sentences"]["killers"])) or "none"
    schedules = ", ".join(sorted(scripts["schedules"]["killers"])) or "none"
    unsaid = ", ".join(scripts["schedules"]["unsaid"]) or "none"
    return [sentences, schedules, unsaid, str(len(scripts["transcripts"]["killers"]))]
