"""Who of a lab's wrong solutions dies by what, and who of the right ones lives: made by asking them across the border.

    .venv/bin/python -m tools.lab_kills lab1a               all of them; writes KILLS.md and kills.json
    .venv/bin/python -m tools.lab_kills lab1a torn          those with this in their name; writes nothing
    .venv/bin/python -m tools.lab_kills lab3b --rings 3     that ring alone; of the others it keeps what kills.json says

Each wrong one is run through every ring until a test of that ring fails: so the table says
which rings find it. Of a lab in which texts alone are handed in, a solution is one text, in the place of ours: its first line
says of which file it is, and what it does.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.submission import Submission, read_submission
from tools import raft_zoo

__all__ = ["Hole", "Kill", "handed_in", "hole_of", "kills_of", "main", "sentence_of", "solutions"]

RINGS = {1: "sentences", 2: "schedules", 3: "searches"}
_RINGS_OF_TEXTS = {4: "fails first by"}
_ASKED = (
    "Each solution ran in a process of its own",
    "and was asked over the pipe, as a student's is; nothing was tried inside of that process. The cells say by which test",
    "it died first in each ring, after how many schedules, and how long that test took.",
)
_READ = (
    "Each stands in the place of our text of",
    "that name, and is judged as a student's is. The cells say by which test it failed first, and how long that test took.",
)


@dataclass(frozen=True, slots=True)
class Kill:
    """What a ring did to a solution. test: that failed first, "" when none did; schedules: up to it; seconds: of that test."""

    name: str
    ring: int
    test: str = ""
    schedules: int = 0
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """What one function alone is good for: all others are written. test: the first that fails without it; failed: how many do.

    is_named: whether each of them says which function it is.
    """

    name: str
    test: str
    failed: int
    points: int
    is_named: bool


def hole_of(lab: Lab, name: str) -> Hole:
    """By the sentences, asked across the border."""
    files = {file: text.encode() for file, text in skeleton_of(lab, only=name).items() if file != "__init__.py"}
    submission = Submission(files)
    with Runner(lab, submission, Seeds(b"kill table", submission.mark), in_a_process()) as runner:
        runner.is_brief = True
        outcomes = [runner.outcome(check) for check in lab.suite.checks if check.ring == 1]
    failed = [outcome for outcome in outcomes if not outcome.is_passed]
    first = f"{failed[0].number} {failed[0].name}" if failed else ""
    told = name if lab.gather is None else f"{lab.gather.name}.{name.partition('.')[2]}"
    is_named = all(f"`{told}` is not written yet" in outcome.message for outcome in failed)
    return Hole(name, first, len(failed), sum(outcome.points_max for outcome in failed), is_named)


def solutions(lab: Lab, kind: str, only: str = "") -> list[Path]:
    """Those in the folder `wrong` or `right`, be it the lab's own or shared. only: with this in their name."""
    own = sorted((lab.folder / kind).glob(f"*{Path(lab.organ_file).suffix}"))
    is_shared = lab.gather is not None and not (lab.folder / "wrong").is_dir()
    return [file for file in (raft_zoo.shared(lab, kind) if is_shared else own) if only in file.name]


def handed_in(lab: Lab, file: Path) -> Submission:
    """One of ours as a student would hand it in."""
    if lab.files:
        return read_submission(file, lab.organ_file)
    texts = {name: text.encode() for name, text in solution_of(lab).items()}
    return Submission({**texts, _head_of(file)[0]: file.read_bytes()})


def _head_of(file: Path) -> tuple[str, str]:
    """Of a text: whose place it takes, and what it does."""
    name, _, sentence = file.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ").partition(": ")
    return name, sentence


def _rings_of(lab: Lab) -> dict[int, str]:
    return RINGS if lab.files else _RINGS_OF_TEXTS


def kills_of(lab: Lab, file: Path, rings: Sequence[int] = ()) -> Iterator[Kill]:
    """One for each ring, or each of these, asked across the border. Tests without seeds come first: they take the least time."""
    submission = handed_in(lab, file)
    with Runner(lab, submission, Seeds(b"kill table", submission.mark), in_a_process(), with_reference=True) as runner:
        runner.is_brief = True
        for ring in rings or _rings_of(lab):
            found = Kill(file.stem, ring)
            for check in sorted(lab.suite.checks, key=lambda check: check.by_seed is not None):
                outcome = runner.outcome(check) if check.ring == ring else None
                if outcome is not None and not outcome.is_passed:
                    test = f"{check.number} {check.name}"
                    found = Kill(file.stem, ring, test, outcome.schedules, outcome.seconds, outcome.message)
                    break
            yield found


def sentence_of(file: Path) -> str:
    """What the solution does: the first line of its module, or of its text."""
    if file.suffix != ".py":
        return _head_of(file)[1]
    return file.read_text(encoding="utf-8").split("\n")[0].strip('"')


def _cell(kill: Kill) -> str:
    if not kill.test:
        return "-"
    runs = f", {kill.schedules} schedules" if kill.schedules > 1 else ""
    return f"{kill.test.split()[0]}{runs}, {kill.seconds:.1f} s"


def _link(lab: Lab, file: Path) -> str:
    return Path(os.path.relpath(file, lab.folder)).as_posix()


def table_of(lab: Lab, kills: Sequence[Kill], holes: Sequence[Hole], stamp: str) -> str:
    """KILLS.md. stamp: of which code it is."""
    load = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    machine = f"at {stamp}, Python {platform.python_version()}, {os.cpu_count()} processors{load}"
    rings, how = _rings_of(lab), _ASKED if lab.files else _READ
    lines = [
        f"# {lab.spoken.capitalize()}: who dies by what",
        "",
        f"Made by `.venv/bin/python -m tools.lab_kills {lab.short}` {machine}. {how[0]}",
        *how[1:],
        "",
        f"| wrong | mistake | {' | '.join(rings.values())} |",
        f"|---|---|{'---|' * len(rings)}",
    ]
    for file in solutions(lab, "wrong"):
        cells = " | ".join(_cell(kill) for kill in kills if kill.name == file.stem)
        lines.append(f"| [`{file.stem}`]({_link(lab, file)}) | {sentence_of(file)} | {cells} |")
    lines += ["", "| right | what is different | fails |", "|---|---|---|"]
    for file in solutions(lab, "right"):
        failed = [kill.test for kill in kills if kill.name == file.stem and kill.test]
        lines.append(f"| [`{file.stem}`]({_link(lab, file)}) | {sentence_of(file)} | {', '.join(failed) or 'nothing'} |")
    if not holes:
        return "\n".join(lines) + "\n"
    lines += [
        "",
        "Each function that a student writes, taken out alone: what fails then, of the sentences, and if each failure names it.",
        "",
        "| without | first to fail | tests | points | named |",
        "|---|---|---:|---:|---|",
    ]
    for hole in holes:
        facts = f"{hole.failed} | {hole.points} | {'yes' if hole.is_named else 'no'}"
        lines.append(f"| `{hole.name}` | {hole.test or '-'} | {facts} |")
    return "\n".join(lines) + "\n"


def _asked(lab: Lab, options: argparse.Namespace) -> Iterator[tuple[str, list[Kill]]]:
    """Of each solution its kind, and its kills by all rings: those that are asked for now, the others as they were noted."""
    noted: dict[tuple[str, int], Kill] = {}
    if options.rings:
        for one in json.loads((lab.folder / "kills.json").read_text(encoding="utf-8")):
            noted[one["name"], one["ring"]] = Kill(**one)
    for kind in ("wrong", "right"):
        for file in solutions(lab, kind, options.only):
            new = {kill.ring: kill for kill in kills_of(lab, file, options.rings)}
            yield kind, [new.get(ring) or noted.get((file.stem, ring)) or Kill(file.stem, ring) for ring in _rings_of(lab)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the table; returns 1 when a wrong one lives, a right one dies, or a function is not missed."""
    from tools import lab_marks  # noqa: PLC0415 - it asks us for the solutions

    parser = argparse.ArgumentParser(prog="python -m tools.lab_kills", description="Who of a lab's solutions dies by what.")
    parser.add_argument("lab")
    parser.add_argument("only", nargs="?", default="", help="solutions with this in their name")
    parser.add_argument("--rings", nargs="+", type=int, default=[], choices=list(RINGS), help="these alone (all)")
    options = parser.parse_args(arguments)
    lab, table = find_lab(options.lab), find_lab(options.lab).folder / "KILLS.md"
    marks = [lab_marks.mark_of(lab), *([lab_marks.stamped(table.read_text(encoding="utf-8"))] if options.rings else [])]
    kills: list[Kill] = []
    is_bad = False
    for kind, mine in _asked(lab, options):
        kills += mine
        is_dead = any(kill.test for kill in mine)
        is_bad = is_bad or is_dead != (kind == "wrong")
        print(f"{mine[0].name:36} {' | '.join(_cell(kill) for kill in mine)}", flush=True)
    holes: list[Hole] = []
    for blank in lab.blanks if not options.only else ():
        holes.append(hole_of(lab, blank.name))
        is_bad = is_bad or not holes[-1].test or not holes[-1].is_named
        print(f"without {blank.name:28} {holes[-1].failed} tests, first {holes[-1].test}", flush=True)
    if not options.only:
        table.write_text(table_of(lab, kills, holes, lab_marks.stamp(lab, *marks)), encoding="utf-8")
        (lab.folder / "kills.json").write_text(json.dumps([asdict(kill) for kill in kills], indent=1) + "\n", encoding="utf-8")
    return 1 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main())
