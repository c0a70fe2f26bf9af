"""A repository for students: what they need to do the labs, and nothing that does them.

Taken are the files that git knows, by `_TAKEN`. Not among them: the right and wrong solutions, the tests of the repository, the
history. The files of `mq` that a lab asks for are *sealed*: the broker and the lessons run with them, but nobody can read them or
find a line of them by searching. Sealing is a curtain, no lock (docs/decisions/015); `Kind.NONE` leaves the bodies out, and then
a broker runs with a student's own log only. (Layers of the Raft are sealed in any case: each lab runs on the others'.)
"""

import ast
import base64
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.lab import STUDENT_MARK, Lab, all_labs, is_for_students
from labs.grader.links import without_dead_links
from labs.grader.sealing import sealed_text
from labs.grader.shared import is_sealed, shared_by
from labs.grader.skeleton import HOLLOW, blanked, blanks_in, given_hollow, hollow_of
from labs.grader.survivors import Survivor, survivors
from labs.grader.way import in_words, way
from mq.parts import ORGANS

__all__ = ["Kind", "ReleaseError", "release", "tracked"]

_TAKEN = (
    *("run.py", "pyproject.toml", "uv.lock", "LICENSE", "course.toml", ".gitignore", "requirements/"),
    *("tools/__init__.py", "tools/runner/", "mq/", "lessons/", "docs/glossary.md", "docs/traces.md", "ARCHITECTURE.md"),
    *("labs/__init__.py", "labs/grader/"),
)
_TAKEN_OF_A_LAB = ("README.md", "lab.toml", "skeleton/", f"{HOLLOW}/")
"""And the modules of its tests, which lie flat in its folder, and what those import of its stage."""
_MARK = "# Made by `mq lab release`: what is sealed, or left out, is what the labs ask for.\n"
_RUN_BY_A_LESSON = re.compile(r'="(labs/\w+/(?:wrong|right)/\w+\.py)"')
_SURVIVORS_SHOWN = 8
_SEALED_CHARS = 120
_RUNS = '''_SEALED = """
{data}
"""
exec(compile(zlib.decompress(base64.b85decode(_SEALED.replace("\\n", ""))), "sealed", "exec"), globals())
'''
_SEALED = '''"""{about}
"""

import base64
import zlib
{imports}
'''
_HIDDEN = """

# --- What other labs ask for stands above without its body. Here is all of it once more, sealed, so that it runs.

import base64
import zlib

"""
_PARTS = """ What you write in {spoken} is a part of a broker: `.venv/bin/mq broker --data DIR --parts work/{id}`
runs one with yours, and `mq raft status` says whose code it is and how often it was called."""
_ORGAN = """What you write in {lab}. The one that works is sealed, so that the broker and the lessons run before yours does.

Where your code is graded it is not there at all. `mq broker --parts work/{id}` runs the broker with yours."""
_TO_KILL = "One of the right and wrong solutions that a student's tests are tried on. What it does is said in the lab's README."
_RUN = "A Raft that a lesson runs, and says of it what it does."
_A_TEST = "A part of the lab's tests that would tell too much."


class Kind(StrEnum):
    """What stands in the place of the modules that a lab asks for."""

    SEALED = "sealed"
    NONE = "none"


class ReleaseError(Exception):
    """There is no release, and the folder is as it was."""


def release(folder: Path, labs: Sequence[Lab], kind: Kind = Kind.SEALED) -> int:
    """Write the repository. Returns the number of files. Raises: ReleaseError, also when a line of a solution is in it."""
    if is_for_students():
        raise ReleaseError("this is a repository for students already; release from the whole one")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ReleaseError(f"{folder} is there already, and not empty")
    if folder.resolve().is_relative_to(ROOT) and folder.resolve().relative_to(ROOT).parts[:1] != ("work",):
        raise ReleaseError(f"{folder} is inside of this repository; give one outside")
    # Elsewhere first: what nobody may have given out was then never in the folder, whatever ends this.
    with tempfile.TemporaryDirectory(prefix="raftmq_release_") as elsewhere:
        made = Path(elsewhere) / "students"
        count = _written(made, labs, kind)
        if found := survivors(made, _known(labs)):
            raise ReleaseError(_told(found))
        _moved(made, folder)
    return count


def _known(labs: Sequence[Lab]) -> list[Lab]:
    return list({lab.id: lab for lab in (*all_labs(), *labs)}.values())


def _written(folder: Path, labs: Sequence[Lab], kind: Kind) -> int:
    """All files, looked through by nobody yet. Returns their number."""
    known = _known(labs)
    names = list(_names(labs))
    instead = {**dict(_instead(known, kind, names)), **dict(_with_links_that_lead(names))}
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = instead.get(name)
        target.write_bytes((ROOT / name).read_bytes() if text is None else text.encode())
    (folder / "README.md").write_text(_readme(labs), encoding="utf-8")
    listed = ", ".join(f'"{lab.id}"' for lab in labs)
    mark = f'{_MARK}reference = "{kind}"\nlabs = [{listed}]\n'
    (folder / "labs" / STUDENT_MARK).write_text(mark, encoding="utf-8")
    return len(names) + 2


def _moved(made: Path, folder: Path) -> None:
    """All of it, into a folder that is empty or not there yet; or nothing. Raises: ReleaseError."""
    was_there = folder.exists()
    try:
        shutil.copytree(made, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    except BaseException as error:
        for each in list(folder.iterdir()) if folder.is_dir() else ():
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)
        if not was_there and folder.is_dir():
            folder.rmdir()
        if isinstance(error, shutil.Error):  # of each file; the first one tells enough
            raise ReleaseError(f"{folder} cannot be written: {error.args[0][0][2]}") from error
        if isinstance(error, OSError):
            raise ReleaseError(f"{folder} cannot be written: {error.strerror or error}") from error
        raise


def _names(labs: Sequence[Lab]) -> Iterator[str]:
    folders = [lab.folder.relative_to(ROOT).as_posix() for lab in labs]
    known = tracked()
    wanted = {name for lab in labs for name in shared_by(lab)} | _run_by_lessons(known)
    for name in known:
        if name.startswith(_TAKEN) or name in wanted:
            yield name
            continue
        for folder in folders:
            inside = name.removeprefix(f"{folder}/")
            if inside != name and (inside.startswith(_TAKEN_OF_A_LAB) or (inside.endswith(".py") and "/" not in inside)):
                yield name


def _run_by_lessons(known: Iterable[str]) -> set[str]:
    """The Rafts of ours, wrong ones and others, that a lesson runs: it does so at students' places, too."""
    lessons = [
        (ROOT / name).read_text(encoding="utf-8") for name in known if name.startswith("lessons/") and name.endswith(".py")
    ]
    return {name for text in lessons for name in _RUN_BY_A_LESSON.findall(text)}


def _with_links_that_lead(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    there = [*names, "README.md"]
    for name in names:
        if name.endswith(".md"):
            yield name, without_dead_links((ROOT / name).read_text(encoding="utf-8"), name, there)


def tracked() -> list[str]:
    """Files of the repository, from the root. Raises: ReleaseError when git does not know them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    except FileNotFoundError as error:
        raise ReleaseError("a release needs git: what it knows is what is taken") from error
    if done.returncode:
        raise ReleaseError(f"git does not know the files of {ROOT}: {done.stderr.strip()[:200]}")
    names = sorted(set(done.stdout.split("\0")) - {""})
    return [name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


# --- what takes the place of the reference


def _instead(labs: Sequence[Lab], kind: Kind, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in _run_by_lessons(names):
        yield name, _sealed((ROOT / name).read_text(encoding="utf-8"), _RUN)
    for lab in labs:
        for name in lab.sealed:
            file = lab.folder / name
            yield file.relative_to(ROOT).as_posix(), _sealed(file.read_text(encoding="utf-8"), _A_TEST)
        for name in filter(is_sealed, shared_by(lab)):
            text = (ROOT / name).read_text(encoding="utf-8")
            yield name, sealed_text(text) if name.endswith(".txt") else _sealed(text, _TO_KILL)
        yield from _layers(lab, labs)
        if kind is Kind.NONE and lab.gather is None:  # a class that is gathered from layers runs on those of the other labs
            yield from hollow_of(lab).items()
            continue
        for reference in lab.sources:
            yield reference, _sealed((ROOT / reference).read_text(encoding="utf-8"), _ORGAN.format(lab=lab.spoken, id=lab.id))


def _layers(lab: Lab, labs: Iterable[Lab]) -> Iterator[tuple[str, str]]:
    """The layers beside a student's class: what other labs ask for is not to be read there either, and runs all the same."""
    for name, text in given_hollow(lab).items():
        shown = text
        for other in labs:
            if other is not lab and name in other.sources:
                shown = blanked(shown, blanks_in(other, shown), other.spoken)
        if shown != text:
            yield f"{lab.folder.relative_to(ROOT).as_posix()}/{HOLLOW}/{name}", shown + _HIDDEN + _packed(text)


def _sealed(source: str, about: str) -> str:
    """A module that does the same and tells nothing: without comments and docstrings, packed. What it imports can be seen."""
    tree = ast.parse(source)
    imports = "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    return _SEALED.format(about=about, imports=imports) + _packed(source)


def _packed(source: str) -> str:
    """What runs a source, in a form that cannot be read."""
    packed = base64.b85encode(zlib.compress(ast.unparse(_mute(ast.parse(source))).encode(), 9)).decode()
    lines = [packed[at : at + _SEALED_CHARS] for at in range(0, len(packed), _SEALED_CHARS)]
    return _RUNS.format(data="\n".join(lines))


def _mute(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kept = [each for each in node.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
            node.body = kept or [ast.Pass()]
    return tree


# --- what is said


def _told(found: Sequence[Survivor]) -> str:
    lines = [f"  {one.file}:{one.line}  ({one.function})  {one.text.splitlines()[0][:80]}" for one in found[:_SURVIVORS_SHOWN]]
    more = f"\n  and {len(found) - len(lines)} more" if len(found) > len(lines) else ""
    return "there is no release, and nothing was written: lines of a solution would be in it:\n" + "\n".join(lines) + more


def _readme(labs: Sequence[Lab]) -> str:
    text = (Path(__file__).parent / "for_students.md").read_text(encoding="utf-8")
    rows = [
        f"| `{lab.short}` | [{lab.title}]({lab.folder.relative_to(ROOT).as_posix()}/README.md) | {lab.hours} |" for lab in labs
    ]
    organs = [lab for lab in labs if lab.seam.name in ORGANS]
    parts = _PARTS.format(spoken=", ".join(lab.spoken for lab in organs), id=organs[0].id) if organs else ""
    order = in_words(way([lab.id for lab in labs]))
    text = text.replace("{labs}", "\n".join(rows)).replace("{parts}", parts).replace("{order}", order)
    return text.replace("{first}", labs[0].short.ljust(5)).replace("{id}", labs[0].id)
