"""Lab 3f: whose Raft drives real nodes, and whose does not, in processes and in containers.

    .venv/bin/python -m tools.drives                      in processes and in containers; writes DRIVES.md
    .venv/bin/python -m tools.drives --backend local      in processes alone; prints
    .venv/bin/python -m tools.drives lazy hangs           these; prints

One run of a cluster decides the whole lab, on real clocks: half a minute in processes, a minute in containers. Ends with 1 when a
right Raft loses a point, or a wrong one loses none.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labs.grader.gathered import gathered
from labs.grader.lab import LABS, Gather, find_lab
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it.organs import LABS_BEFORE
from labs.stage3_raft.lab3f_drive_it.run_it import hosts_for
from labs.stage3_raft.lab3f_drive_it.runs import Drive
from tools.said_by_git import commit

__all__ = ["FROM_BYTE_CODE", "RIGHT", "SOLVED", "WRONG", "Driven", "driven", "main", "table_of", "whole_raft"]

SOLVED = "labs 3a to 3d"
"""The class that these lead to: it runs where our layers lack what those labs ask for. The others inherit from whole ones."""
_BACKENDS = {"local": "processes", "docker": "containers"}
_HANGS = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def step(self, message):
        while self.commit_index > 60:
            pass
        return super().step(message)
"""
_ELECTS_ONCE = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def _time_out(self):
        if self.commit_index < 5:
            super()._time_out()
"""
FROM_BYTE_CODE = """
import marshal
import pathlib
import sys
import types

import mq.raft.node

cached = pathlib.Path(mq.raft.node.__file__).parent / "__pycache__"
for name in ("state", "persistence", "election", "replication", "reading", "snapshotting", "membership", "transfer", "node"):
    module = types.ModuleType("mq.raft." + name)
    compiled = cached / f"{name}.{sys.implementation.cache_tag}.pyc"
    exec(marshal.loads(compiled.read_bytes()[16:]), module.__dict__)
    sys.modules["mq.raft." + name] = module


class Raft(sys.modules["mq.raft.node"].RaftNode):
    __slots__ = ()
"""
"""One who wrote nothing, and takes what was compiled from our whole layers: a cheat, which hollow layers must not let through."""


def _of_the_zoo(kind: str, name: str) -> str:
    return (LABS / "stage3_raft" / kind / f"{name}.py").read_text(encoding="utf-8")


RIGHT = {name: _of_the_zoo("right", name) for name in ("lazy", "plain", "eager", "saving_up")}
WRONG = {
    "hangs": (_HANGS, "`step` did not come back within"),
    "elects_once": (_ELECTS_ONCE, "hardly any order was acknowledged after"),
    "vote_not_saved": (_of_the_zoo("wrong", "vote_not_saved"), "its log was not told to keep that"),
    "commit_by_one_too_few": (_of_the_zoo("wrong", "commit_by_one_too_few"), "it may be lost yet"),
}
"""Those that must fail each time, and words of what is said of each."""


def whole_raft() -> str:
    """The class that labs 3a to 3d lead to: the methods of all of them, as one who solved them has it."""
    labs = [find_lab(short) for short in LABS_BEFORE]
    sources = tuple(dict.fromkeys(source for lab in labs if lab.gather is not None for source in lab.gather.sources))
    blanks = tuple(blank for lab in labs for blank in lab.blanks)
    return gathered(replace(labs[-1], gather=Gather("Raft", "RaftNode", sources), blanks=blanks), [])


@dataclass(frozen=True, slots=True)
class Driven:
    """One run.

    calls: of the Raft's methods, the fewest that a node told of at the end; 0 when none did. failed: the first test, and why.
    """

    name: str
    backend: str
    is_right: bool
    points: int
    acknowledged: int
    lost: int
    gap_s: float | None
    calls: int
    failed: str
    seconds: float

    @property
    def is_as_it_must_be(self) -> bool:
        """A right one has all points, a wrong one has not."""
        return (self.points == 100) == self.is_right


def driven(name: str, backend: str, folder: Path) -> Driven:
    """Raises: ClusterError, DriveError when it could not be run; KeyError for a name that there is not."""
    text = whole_raft() if name == SOLVED else RIGHT[name] if name in RIGHT else WRONG[name][0]
    began_s = time.monotonic()
    submission = Submission({"raft.py": text.encode()})
    with Drive(submission, folder, hosts=hosts_for(backend), with_reference=name != SOLVED) as drive:
        outcomes = list(drive.outcomes())
    seen, history = drive.seen, drive.seen.history
    kill = seen.steps.get("kill")
    first = next((f"{one.number}: {one.message}" for one in outcomes if not one.is_passed), "")
    return Driven(
        name,
        backend,
        name not in WRONG,
        sum(one.points for one in outcomes),
        len(history.sent),
        len(history.lost()),
        kill.gap_s if kill and not kill.why_not else None,
        min((organ.calls for organ in seen.organs if organ.name == "raft"), default=0),
        first.replace(str(folder), "RUN"),
        time.monotonic() - began_s,
    )


def _row(one: Driven) -> str:
    gap = "-" if one.gap_s is None else f"{one.gap_s:.2f} s"
    calls = f"{one.calls:,}" if one.calls else "-"
    why = one.failed.replace("|", "/").replace("\n", " ")
    return (
        f"| {one.name} | {_BACKENDS[one.backend]} | {one.points} | {one.acknowledged} | {one.lost} | {gap} | {calls} |"
        f" {one.seconds:.0f} s | {why} |"
    )


def table_of(runs: Sequence[Driven]) -> str:
    """DRIVES.md."""
    load = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    head = (
        "| Raft | nodes in | points | orders acknowledged | not delivered | gap around the kill | calls | took | first failure |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    )
    machine = f"at {commit()}, Python {platform.python_version()}, {os.cpu_count()} processors{load}"
    parts = [
        "# Lab 3f: whose Raft drives a cluster",
        "",
        f"Made by `.venv/bin/python -m tools.drives` {machine}.",
        "One run each: three nodes, official clients, the leader killed, paused and cut off. *calls*: of the Raft's methods, on",
        'that node which told of the fewest, as `mq raft status` has them. "labs 3a to 3d" is the class that those labs lead to,',
        "on layers without what they ask for.",
    ]
    for title, is_right in (("Right ones", True), ("Wrong ones", False)):
        parts += ["", f"## {title}", "", *head, *(_row(one) for one in runs if one.is_right == is_right)]
    return "\n".join(parts) + "\n"


def _runs(names: Sequence[str], backends: Sequence[str]) -> Iterator[Driven]:
    with tempfile.TemporaryDirectory() as scratch:
        for backend in backends:
            for number, name in enumerate(names):
                yield driven(name, backend, Path(scratch) / f"{backend}-{number}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the table; returns 1 when a right one loses a point or a wrong one loses none."""
    every = [SOLVED, *RIGHT, *WRONG]
    parser = argparse.ArgumentParser(prog="python -m tools.drives", description="Whose Raft drives a cluster.")
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(every)}")
    parser.add_argument("--backend", choices=list(_BACKENDS), help="in one kind of nodes alone")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in every]:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(every)}")
    runs = []
    for one in _runs(options.names or every, [options.backend] if options.backend else list(_BACKENDS)):
        print(_row(one), flush=True)
        runs.append(one)
    if not options.names and not options.backend:
        (find_lab("lab3f").folder / "DRIVES.md").write_text(table_of(runs), encoding="utf-8")
    return 0 if all(one.is_as_it_must_be for one in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
