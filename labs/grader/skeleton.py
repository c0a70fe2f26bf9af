"""Skeletons: the reference with the bodies of some functions taken out, and its imports turned to the student's own files.

    [files]                                        # lab.toml
    "commit_log.py" = "mq/broker/store/commit_log.py"

    [[blank]]
    name = "CommitLog.append"
    from = "segment = state.segments[-1]"          # what stands before this statement is given

    [[planted]]                                    # planted.toml: a mistake to be found; a line of a function is another one
    name = "Counter.add"
    right = "self.total += amount"
    wrong = "self.total = amount"

Signature, types and docstring stay; in the place of the body stands `raise NotImplementedError("lab 1a: CommitLog.append")`.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.gathered import gathered
from labs.grader.lab import Blank, Lab, Planted

__all__ = [
    "HOLLOW", "blanked", "blanks_in", "given_hollow", "hollow_of", "skeleton_of", "solution_of", "taken_out", "with_mistakes",
    "with_the_mistakes", "write_all", "written_up_to",
]  # fmt: skip

_DOOR = '''"""The files of this folder are imported as `{package}`, wherever the folder lies. Nothing to be done here.

`mq broker --parts FOLDER` loads each file by itself; this one comes first, and lets the others find each other.
"""

if __name__ != "{package}":
    import sys
    from pathlib import Path
    from types import ModuleType

    for name in [name for name in sys.modules if name.partition(".")[0] == "{package}"]:
        del sys.modules[name]
    sys.modules["{package}"] = package = ModuleType("{package}")
    package.__path__ = [str(Path(__file__).resolve().parent)]
'''

HOLLOW = "hollow"
"""In a lab's folder: see `given_hollow`."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.Module) -> dict[str, _Function]:
    """All functions of a module and of its classes, by qualified name."""
    found: dict[str, _Function] = {}
    for node in tree.body:
        if isinstance(node, _Function):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found.update({f"{node.name}.{each.name}": each for each in node.body if isinstance(each, _Function)})
    return found


def _places(source: str, blanks: Iterable[Blank], lab: str) -> list[tuple[int, int, int, str]]:
    """First and last line of what is taken out, from 1, its indent, and the function's name. Raises: ValueError."""
    lines = source.split("\n")
    functions = _functions(ast.parse(source))
    places = []
    for blank in blanks:
        function = functions.get(blank.name)
        if function is None:
            raise ValueError(f"{lab}: there is no function {blank.name} to be blanked")
        body = function.body[1:] if ast.get_docstring(function) else function.body
        if blank.begins:
            begins = [n for n, statement in enumerate(body) if lines[statement.lineno - 1].strip().startswith(blank.begins)]
            if not begins:
                raise ValueError(f"{lab}: no statement of {blank.name} begins with {blank.begins!r}")
            body = body[begins[0] :]
        places.append((body[0].lineno, function.end_lineno or 0, body[0].col_offset, blank.name))
    return sorted(places, reverse=True)


def blanked(source: str, blanks: Iterable[Blank], lab: str) -> str:
    """The source with the bodies of these functions taken out. Raises: ValueError for one that is not there."""
    lines = source.split("\n")
    for first, last, indent, name in _places(source, blanks, lab):
        lines[first - 1 : last] = [f'{" " * indent}raise NotImplementedError("{lab}: {name}")']
    return "\n".join(lines)


def with_mistakes(source: str, planted: Iterable[Planted], lab: str) -> str:
    """The source with these lines changed. Raises: ValueError for one that is not there."""
    lines = source.split("\n")
    functions = _functions(ast.parse(source))
    for mistake in planted:
        function = functions.get(mistake.name)
        found = [
            number
            for number in (range(function.lineno - 1, function.end_lineno or 0) if function is not None else ())
            if lines[number].strip() == mistake.right
        ]
        if len(found) != 1:
            raise ValueError(f"{lab}: {mistake.name} has not one line {mistake.right!r}, but {len(found)}")
        lines[found[0]] = lines[found[0]].replace(mistake.right, mistake.wrong)
    return "\n".join(lines)


def blanks_in(lab: Lab, source: str) -> list[Blank]:
    """Those of a lab whose function is in this source."""
    return [blank for blank in lab.blanks if blank.name in _functions(ast.parse(source))]


def taken_out(lab: Lab) -> dict[str, list[str]]:
    """The lines that a student has to find, by the name of the function."""
    found = {}
    for reference in lab.sources:
        source = (ROOT / reference).read_text(encoding="utf-8")
        for first, last, _, name in _places(source, blanks_in(lab, source), lab.spoken):
            found[name] = source.split("\n")[first - 1 : last]
    return {**found, **{mistake.name: [mistake.right] for mistake in lab.planted}}


def hollow_of(lab: Lab) -> dict[str, str]:
    """The reference's own files, from the root, with the bodies taken out, and all else as it is."""
    made = {}
    for reference in lab.sources:
        source = (ROOT / reference).read_text(encoding="utf-8")
        made[reference] = blanked(source, blanks_in(lab, source), lab.spoken)
    return made


def given_hollow(lab: Lab) -> dict[str, str]:
    """Layers of ours without what a lab asks for, from the root: they lie beside the student's class, which is derived from them.

    Written by `tools.make_skeletons`, since who has no solution cannot take it out.
    """
    folder = lab.folder / HOLLOW
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else []
    return {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in files}


def _turned(source: str, files: Mapping[str, str], package: str) -> str:
    """Imports of the reference's modules lead to the student's files."""
    for file, reference in files.items():
        module = reference.removesuffix(".py").replace("/", ".")
        source = re.sub(rf"\b{re.escape(module)}\b", f"{package}.{file.removesuffix('.py')}", source)
    return _sorted_imports(source)


def _sorted_imports(source: str) -> str:
    """The student's own files come before ours, as a formatter would have it."""
    lines = source.split("\n")
    tree = ast.parse(source)
    ours = [node for node in tree.body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("mq.", "lab"))]
    if not ours:
        return source
    first, last = ours[0].lineno, max(node.end_lineno or 0 for node in ours)
    texts = sorted((node.module or "", "\n".join(lines[node.lineno - 1 : node.end_lineno])) for node in ours)
    lines[first - 1 : last] = "\n".join(text for _, text in texts).split("\n")
    return "\n".join(lines)


def _made(lab: Lab, blanks: Iterable[Blank], planted: Iterable[Planted] = ()) -> dict[str, str]:
    if lab.gather is not None:
        return {"__init__.py": _DOOR.format(package=lab.id), lab.organ_file: gathered(lab, blanks)}
    if not lab.files:
        return {}  # texts alone
    wanted, mistakes, made, left = list(blanks), list(planted), {}, {blank.name for blank in lab.blanks}
    for file, reference in lab.files.items():
        source = (ROOT / reference).read_text(encoding="utf-8")
        here = _functions(ast.parse(source))
        left -= set(here)
        source = with_mistakes(source, [mistake for mistake in mistakes if mistake.name in here], lab.spoken)
        source = blanked(source, [blank for blank in wanted if blank.name in here], lab.spoken)
        made[file] = _turned(source, lab.files, lab.id)
    if left:
        raise ValueError(f"{lab.id}: no file has {', '.join(sorted(left))}")
    return {"__init__.py": _DOOR.format(package=lab.id), **made}


def _texts(lab: Lab, folder: str) -> dict[str, str]:
    return {name: (lab.folder / folder / name).read_text(encoding="utf-8") for name in lab.texts}


def skeleton_of(lab: Lab, only: str | None = None) -> dict[str, str]:
    """Files by name. only: blank no other function than this one, and plant no mistake."""
    blanks = [blank for blank in lab.blanks if only is None or blank.name == only]
    made = _made(lab, blanks, lab.planted if only is None else ())
    return {**made, **_texts(lab, "skeleton")}


def with_the_mistakes(lab: Lab) -> dict[str, str]:
    """All functions written, and the planted mistakes still there."""
    return {**_made(lab, [], lab.planted), **_texts(lab, "skeleton")}


def written_up_to(lab: Lab, count: int) -> dict[str, str]:
    """A skeleton in which the first so many functions are written, in the order in which they are to be."""
    return {**_made(lab, lab.blanks[count:]), **_texts(lab, "skeleton")}


def solution_of(lab: Lab) -> dict[str, str]:
    """The reference as a student's folder."""
    return {**_made(lab, []), **_texts(lab, "solution")}


def write_all(folder: Path, files: Mapping[str, str]) -> None:
    """Into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
