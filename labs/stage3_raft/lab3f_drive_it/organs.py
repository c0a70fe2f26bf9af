"""The folder that nodes take a student's organs from, and what of ours lies beside them.

Beside a student's Raft lie our layers without the methods that labs 3a to 3d ask for, as where those are graded: who writes
nothing inherits nothing. (Not from our layers, that is: whoever copies our text into a file of theirs has it there; that is what
the report on similar submissions is for.)
"""

import ast
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.lab import every_lab, find_lab
from labs.grader.skeleton import given_hollow
from labs.grader.submission import Submission
from mq.parts import ORGANS

__all__ = ["LABS_BEFORE", "MEMORY_BYTES", "command_with", "has_organ", "hollow_layers", "lay_out", "overlay", "put_hollow"]

LABS_BEFORE = ("lab3a", "lab3b", "lab3c", "lab3d")
"""Whose methods a student brings along."""
_DOORS = '''"""The files of this folder import each other by the names of their labs: this comes first, and makes that true."""

import sys
from pathlib import Path
from types import ModuleType

for _name in {packages}:
    if _name not in sys.modules:
        sys.modules[_name] = ModuleType(_name)
        sys.modules[_name].__path__ = [str(Path(__file__).resolve().parent)]
'''
MEMORY_BYTES = 1 << 30
"""What a node may write to, of memory: as much as a process of labs 3a to 3d. Measured in whole runs, a node comes to 145 MiB.

(Of addresses, which is another limit, it takes 945 MiB: threads reserve some that they never use, more where there are more
processors.)
"""
_BEGIN = """
import sys
sys.path.insert(0, {folder!r})
try:
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, ({memory_bytes}, {memory_bytes}))
except (ImportError, OSError, ValueError):
    pass  # a system that cannot, or one where less is allowed already
from mq.cli.main import main
sys.exit(main())
"""


def lay_out(submission: Submission, folder: Path) -> None:
    """Its Python files, as they were handed in, into a folder that is made; all may read there, and nobody runs them here."""
    folder.mkdir(parents=True)
    packages = tuple(lab.id for lab in every_lab())
    (folder / "__init__.py").write_text(_DOORS.format(packages=packages), encoding="utf-8")
    for name, data in submission.files.items():
        if name.endswith(".py"):
            (folder / name).write_bytes(data)
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)


def has_organ(submission: Submission) -> list[str]:
    """Names of the classes of organs that its files define, as their texts say: nothing of it is run."""
    found = set()
    for name, data in submission.files.items():
        if name.endswith(".py"):
            try:
                tree = ast.parse(data)
            except (SyntaxError, ValueError):
                continue  # the nodes will say so
            found |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return [organ for organ in ORGANS if organ in found]


# --- layers without what is asked for


def hollow_layers() -> dict[str, str]:
    """Files of ours, from the root, without what labs 3a to 3d ask for: of a file that two of them hollow out, both."""
    found: dict[str, str] = {}
    for short in LABS_BEFORE:
        for file, text in given_hollow(find_lab(short)).items():
            found[file] = _both(found[file], text) if file in found else text
    return found


def _both(one: str, other: str) -> str:
    """Two versions of a source in which bodies are taken out, as one in which the bodies of both are."""
    lines, theirs = one.split("\n"), other.split("\n")
    done = {name for name, _, _ in _taken_out(one)}
    places = {name: (first, last) for name, first, last in _functions(one)}
    missing = [(places[name], theirs[first - 1 : last]) for name, first, last in _taken_out(other) if name not in done]
    for (first, last), text in sorted(missing, reverse=True):
        lines[first - 1 : last] = text
    return "\n".join(lines)


def _functions(source: str) -> Iterator[tuple[str, int, int]]:
    """(Class.method, first line, last line), from 1."""
    for kind in ast.parse(source).body:
        if isinstance(kind, ast.ClassDef):
            for each in kind.body:
                if isinstance(each, ast.FunctionDef):
                    yield f"{kind.name}.{each.name}", each.lineno, each.end_lineno or each.lineno


def _taken_out(source: str) -> Iterator[tuple[str, int, int]]:
    lines = source.split("\n")
    for name, first, last in _functions(source):
        if any(line.strip().startswith('raise NotImplementedError("lab ') for line in lines[first - 1 : last]):
            yield name, first, last


def put_hollow(folder: Path) -> Mapping[str, Path]:
    """The layers as files in a folder that is made; where each is, by its name from the root."""
    made = {}
    for file, text in hollow_layers().items():
        target = made[file] = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return made


def overlay(folder: Path) -> None:
    """A folder with a package `mq` in it that is ours, but for the hollow layers: links where there are such, else copies."""
    _fill(ROOT / "mq", folder / "mq", put_hollow(folder / "hollow"), Path("mq"))


def _fill(source: Path, target: Path, hollow: Mapping[str, Path], where: Path) -> None:
    target.mkdir(parents=True)
    for each in source.iterdir():
        inner = where / each.name
        if each.name == "__pycache__":
            continue
        if inner.as_posix() in hollow:
            shutil.copyfile(hollow[inner.as_posix()], target / each.name)
        elif each.is_dir() and any(Path(file).is_relative_to(inner) for file in hollow):
            _fill(each, target / each.name, hollow, inner)
        elif hasattr(os, "symlink") and os.name == "posix":
            (target / each.name).symlink_to(each, target_is_directory=each.is_dir())
        elif each.is_dir():
            shutil.copytree(each, target / each.name)
        else:
            shutil.copyfile(each, target / each.name)


def command_with(folder: Path) -> tuple[str, ...]:
    """What starts a node of a local cluster that takes `mq` from the overlay there, with that limit for its memory."""
    return (sys.executable, "-P", "-c", _BEGIN.format(folder=str(folder), memory_bytes=MEMORY_BYTES), "broker")
