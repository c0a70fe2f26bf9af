"""What `tools/kill_table.py` found so far, and of which code each result is: what other code did proves nothing about this one.

`labs/stage3_raft/kills.json` holds a row for each Raft, wrong or right, of up to three parts: "scripts" (sentences, schedules,
transcripts), "seeds" and "search". Each part names its code by a mark, the commit that it was tried at, and the day.
"""

import hashlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mq.core.errors import StateError
from mq.sim.group.seeds import code_mark
from tools.killers import LAB, ROOT, STEPS, names_of, place_of
from tools.said_by_git import commit, said_by_git

__all__ = ["KINDS", "NOTES", "PARTS", "Notes", "marks_of", "read_notes"]

NOTES = LAB / "kills.json"
KINDS = ("right", "wrong")
PARTS = ("scripts", "seeds", "search")

_SCRIPTS = (
    "mq/sim/hand/*.py",
    "tests/paper/*.py",
    "tests/transcripts/*.txt",
    "labs/stage3_raft/schedules/*.txt",
    "labs/stage3_raft/scripted.py",
    "labs/stage3_raft/watching.py",
    "tools/schedule.py",
)
"""What comes of scripts depends on these, too."""
_SEARCH = ("mq/sim/explore/*.py",)
_ALL = ("mq/core", "mq/raft", "mq/sim", "tests/paper", "tests/transcripts", "tools")
_LAB = ("labs/stage3_raft/right", "labs/stage3_raft/wrong", "labs/stage3_raft/schedules")


def marks_of(place: str = "") -> dict[str, str]:
    """By part, eight digits that change with all that its result depends on: core and world, that Raft, the scripts.

    place: `FILE:Class`, the file from the root of the checkout; without one, all but the Raft.
    """
    return _marks_of(place, _beside())


def _beside() -> dict[str, str]:
    """Digests of what results depend on beside core, world and Raft."""
    return {"scripts": _digest(_SCRIPTS), "search": _digest(_SEARCH)}


def _digest(patterns: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for file in sorted(file for pattern in patterns for file in ROOT.glob(pattern)):
        digest.update(file.name.encode() + file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _marks_of(place: str, beside: dict[str, str]) -> dict[str, str]:
    file, _, name = place.rpartition(":")
    mark = code_mark(f"{ROOT / file}:{name}" if place else "")
    return {"seeds": mark, **{part: hashlib.sha256(f"{mark} {more}".encode()).hexdigest()[:8] for part, more in beside.items()}}


def _origin() -> dict[str, str]:
    """The commit, and whether what results depend on was changed since; the day."""
    is_changed = bool(said_by_git("status", "--porcelain", "--", *_ALL, *_LAB))
    return {"commit": (commit() or "no commit") + (" and changes" if is_changed else ""), "date": f"{datetime.now(UTC):%Y-%m-%d}"}


def _machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}"


def read_notes(file: Path = NOTES) -> dict[str, Any]:
    """What was found so far, as plain data."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {"made": {}, "stale": [], **{kind: {} for kind in KINDS}, **found}


class Notes:
    """The notes, while they are written. plain: as in the file. marks: of the code that is tried, as it was at the start."""

    def __init__(self, file: Path = NOTES) -> None:
        self.plain = read_notes(file)
        self.marks, self._base = self._marks(), marks_of()
        self._file, self._origin = file, _origin()
        for kind in KINDS:  # no Raft that is there no more, and no part that says of no code that it is of it
            rows = {name: self.plain[kind].get(name, {}) for name in names_of(kind)}
            self.plain[kind] = {
                name: {part: row[part] for part in PARTS if isinstance(row.get(part), dict) and "code" in row[part]}
                for name, row in rows.items()
            }
        self.look()

    def _marks(self) -> dict[tuple[str, str], dict[str, str]]:
        beside = _beside()
        return {(kind, name): _marks_of(place_of(kind, name), beside) for kind in KINDS for name in names_of(kind)}

    def part(self, kind: str, name: str, part: str) -> dict[str, Any] | None:
        """What is known, if it is of this code."""
        found: dict[str, Any] | None = self.plain[kind].get(name, {}).get(part)
        if found is None or found["code"] != self.marks[kind, name][part] or found["steps"] != STEPS:
            return None
        return found

    def note(self, kind: str, name: str, part: str, result: dict[str, Any], *, is_of_copy: bool = False) -> None:
        """At once, so that all may be interrupted. is_of_copy: it was tried in a copy that is of this code.

        Raises: StateError when the code has changed since the start, so that nobody knows of which it is.
        """
        if not is_of_copy:
            self.check(kind, name)
        self.plain[kind].setdefault(name, {})[part] = {
            **result,
            "steps": STEPS,
            "code": self.marks[kind, name][part],
            **self._origin,
        }
        self.write()

    def forget(self, kind: str, name: str, part: str) -> None:
        """It is to be tried from its begin."""
        self.plain[kind].get(name, {}).pop(part, None)

    def check(self, kind: str, name: str) -> None:
        """Raises: StateError when the code has changed since the start."""
        if marks_of(place_of(kind, name)) != self.marks[kind, name]:
            raise StateError(
                f"{name}: the code was changed while it was tried: call it again, and all of other code is tried anew"
            )

    def look(self) -> None:
        """What is of other code than that of the start is known by that."""
        self.plain["stale"] = [
            [kind, name, part]
            for kind in KINDS
            for name, row in self.plain[kind].items()
            for part in PARTS
            if part in row and self.part(kind, name, part) is None
        ]
        self.plain["made"] = {"machine": _machine(), **{f"{part} code": mark for part, mark in self._base.items()}}

    def write(self) -> None:
        """The file."""
        self.look()
        self._file.write_text(json.dumps(self.plain, indent=1, sort_keys=True) + "\n", encoding="utf-8")
