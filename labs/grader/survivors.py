"""Lines of a solution in a folder that must hold none.

What a student has to find is what `labs.grader.skeleton` takes out of the reference. A line of that *tells* something when it is
long enough and stands nowhere in what is given anyway; so do three lines in a row. The README of the lab is not looked at: its
hints end with such lines, folded, on purpose.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from labs.grader.box import ROOT
from labs.grader.lab import Lab
from labs.grader.skeleton import hollow_of, taken_out

__all__ = ["Survivor", "survivors"]

_CHARS_MIN = 28
_ROW = 3
_TEXT = {".py", ".md", ".toml", ".txt", ".ipynb", ".json", ".html", ".sh", ".cfg", ".yaml", ".yml"}


class Survivor(NamedTuple):
    """file: from the folder. line: from 1. function: the one it comes from; text: what it says."""

    file: str
    line: int
    function: str
    text: str


def survivors(folder: Path, labs: Iterable[Lab]) -> list[Survivor]:
    """All in all text files."""
    wanted = [(function, text) for lab in labs for function, text in _telling(lab)]
    return [
        Survivor(name, text[: text.index(telling)].count("\n") + 1, function, telling.strip("\n"))
        for name, text in _texts(folder)
        for function, telling in wanted
        if telling in text
    ]


def _squeezed(text: str) -> str:
    """Without what a formatter may change: blanks. Each line ends, and begins behind an end of line."""
    return "\n" + "\n".join("".join(line.split()) for line in text.split("\n")) + "\n"


def _telling(lab: Lab) -> Iterator[tuple[str, str]]:
    given = _given(lab)
    for function, lines in taken_out(lab).items():
        bare = [line for line in (_squeezed(line).strip("\n") for line in lines) if line and not line.startswith("#")]
        rows = ["\n" + "\n".join(bare[at : at + _ROW]) + "\n" for at in range(len(bare) - _ROW + 1)]
        # A function of one or two lines is known by the whole of it.
        rows = rows or ["\n" + "\n".join(bare) + "\n"]
        for text in (*(line for line in bare if len(line) >= _CHARS_MIN), *rows):
            if text not in given:
                yield function, text


def _given(lab: Lab) -> str:
    """Everything of `mq` but the bodies that were taken out."""
    hollow = hollow_of(lab)
    files = sorted((ROOT / "mq").rglob("*.py"))
    names = [file.relative_to(ROOT).as_posix() for file in files]
    return "".join(
        _squeezed(hollow.get(name) or file.read_text(encoding="utf-8")) for name, file in zip(names, files, strict=True)
    )


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        is_readme = name.startswith("labs/") and file.name == "README.md"
        if file.suffix in _TEXT and file.is_file() and not is_readme:
            yield name, _squeezed(_told(file))


def _told(file: Path) -> str:
    """A file's text; of a notebook, what its cells say and show."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix not in (".ipynb", ".json"):
        return text
    try:
        return "".join(_strings(json.loads(text)))
    except ValueError:
        return text


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value if value.endswith("\n") else value + "\n"
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
