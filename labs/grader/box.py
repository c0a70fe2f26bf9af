"""The folder that a student's code runs in: the worker, the given modules that it needs, and the files that were handed in.

What the seam's reference does is not in it. Which modules are needed is read off the sources: all of `mq` that the skeleton, or
the classes that cross the border, import, directly or not. When one of those is the reference itself, the box is refused.
"""

import ast
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import TracebackType

from labs.grader.compiled import compiled, place_of
from labs.grader.submission import Submission

__all__ = ["ROOT", "Box", "BoxError", "needed_by"]

ROOT = Path(__file__).resolve().parent.parent.parent
_INSIDE = tuple(f"labs/grader/inside/{name}.py" for name in ("encoding", "shut_in", "worker"))
_MARK = '"""A package of what this process needs."""\n'


class BoxError(Exception):
    """The lab itself is wrong: what its skeleton needs is what it is to replace."""


def _imports_of(source: str) -> Iterator[str]:
    """Names of modules (or of what is in them) that a source imports when it runs."""
    open_ends: list[ast.AST] = [ast.parse(source)]
    while open_ends:
        node = open_ends.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            open_ends += ast.iter_child_nodes(node)


@cache
def _imports_of_file(file: str) -> frozenset[str]:
    return frozenset(_imports_of((ROOT / file).read_text(encoding="utf-8")))


def _file_of(module: str) -> str | None:
    """The file of a module of ours, from the root; None for packages and for all others."""
    if module.split(".", maxsplit=1)[0] not in ("mq", "labs"):
        return None
    file = module.replace(".", "/") + ".py"
    return file if (ROOT / file).is_file() else None


def needed_by(modules: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
    """Files of ours, from the root, that these modules are and import. Raises: BoxError when one of `without` is among them."""
    found: dict[str, str] = {}
    open_ends = [(module, "the lab") for module in modules]
    while open_ends:
        module, wanted_by = open_ends.pop()
        file = _file_of(module)
        if file is None or file in found:
            continue
        if file in set(without):
            raise BoxError(f"{file} is what the lab asks for, and {wanted_by} imports it")
        found[file] = wanted_by
        open_ends += [(name, file) for name in _imports_of_file(file)]
    return tuple(sorted(found))


def imports_of_files(files: Iterable[Path]) -> set[str]:
    """All that some files import."""
    return {name for file in files for name in _imports_of(file.read_text(encoding="utf-8"))}


class Box:
    """A temporary folder. files: of ours, from the root; package: the name under which the submission is imported.

    instead: the text of some of the files, where it is another one.

    Whoever runs in it may not change it where that can be helped: it belongs to us, and folders are read-only. Nor can he find
    another one: it lies in a folder that nobody may list, under a name by chance.
    """

    def __init__(
        self, package: str, submission: Submission, files: Iterable[str], instead: Mapping[str, str] | None = None
    ) -> None:
        self._around = Path(tempfile.mkdtemp(prefix="mq-lab-"))
        self.folder = self._around / secrets.token_hex(16)
        self.folder.mkdir()
        for file in (*files, *_INSIDE):
            text = (instead or {}).get(file)
            data = (ROOT / file).read_bytes() if text is None else text.encode()
            self._put(file, data)
            self._put(place_of(file), compiled(ROOT, file, data, is_other=text is not None))
        for name, data in submission.files.items():
            if name.endswith(".py"):
                self._put(f"{package}/{name}", data)

    def _put(self, file: str, data: bytes) -> None:
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        for parent in target.relative_to(self.folder).parents:
            if parent.name and parent.name != "__pycache__":
                (self.folder / parent / "__init__.py").write_text(_MARK, encoding="utf-8")

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.remove()

    def open_for_all(self) -> None:
        """Whoever the worker runs as may read it."""
        self._around.chmod(0o711)
        for place in (self.folder, *self.folder.rglob("*")):
            place.chmod(0o755 if place.is_dir() else 0o644)

    def own_copy(self) -> Path:
        """A folder like it, of other files: locks that somebody takes on those are seen by nobody else. It goes with the box."""
        copy = self._around / secrets.token_hex(16)
        shutil.copytree(self.folder, copy)
        return copy

    def remove(self) -> None:
        """The folder goes."""
        shutil.rmtree(self._around, ignore_errors=True)
