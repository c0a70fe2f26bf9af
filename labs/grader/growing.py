"""A student's class that grows from lab to lab: what is carried on into the next one, and what is left out there.

All of it is done on the text, by lines: what a student wrote stays as it is, comments and all. Nothing is run or imported.
Decision 021 says why there is one class.
"""

import ast
import re
from collections.abc import Collection, Iterable
from importlib import import_module
from typing import NamedTuple

from labs.grader.lab import Lab, every_lab
from labs.grader.told import ToldError

__all__ = [
    "GrowingError",
    "Grown",
    "carried_on",
    "labs_before",
    "methods_of",
    "renamed",
    "unasked_overrides",
    "without",
    "written_before",
]

_NOT_WRITTEN = re.compile(r"lab \w+: [\w.]+")
_HEAD = re.compile(r'\A("""Your \w+, the methods of )(labs? [^.]+)(\. What is not written here)')
_LINE_CHARS = 130


class GrowingError(ToldError):
    """The text cannot be carried on; the message says why."""


class Grown(NamedTuple):
    """A class for a lab. added: methods that are to be written; there: those of this lab that it had already.

    carried: written methods of labs before; left_out: those that were not written, and are inherited now.
    """

    text: str
    added: tuple[str, ...]
    there: tuple[str, ...]
    carried: tuple[str, ...]
    left_out: tuple[str, ...]


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def labs_before(lab: Lab) -> tuple[Lab, ...]:
    """Those in which the same class was begun, the nearest one first."""
    if lab.gather is None:
        return ()
    known = every_lab()
    before = known[: next((at for at, each in enumerate(known) if each.id == lab.id), 0)]
    of_the_class = (lab.gather.name, lab.gather.base, lab.organ_file)
    return tuple(
        each
        for each in reversed(before)
        if each.gather is not None and (each.gather.name, each.gather.base, each.organ_file) == of_the_class
    )


def methods_of(labs: Iterable[Lab]) -> tuple[str, ...]:
    """What they ask for, by name within the class."""
    return tuple(blank.name.rpartition(".")[2] for lab in labs for blank in lab.blanks)


def carried_on(lab: Lab, text: str, skeleton: str) -> Grown:
    """A student's text of an earlier lab, with the methods of this one behind its own. skeleton: this lab's.

    Raises: GrowingError.
    """
    assert lab.gather is not None
    name, before = lab.gather.name, methods_of(labs_before(lab))
    theirs = _methods(_class_in(text, name))
    left_out = tuple(each for each in before if each in theirs and _is_not_written(theirs[each]))
    carried = tuple(each for each in before if each in theirs and each not in left_out)
    text = _taken_out(text, name, left_out)
    ours = _methods(_class_in(skeleton, name))
    there = tuple(each for each in ours if each in theirs)
    added = tuple(each for each in ours if each not in theirs)
    if added:
        text = _with_imports(_with_methods(text, name, [_source(skeleton, ours[each]) for each in added]), skeleton)
    text = _HEAD.sub(lambda found: f"{found[1]}{_spoken(found[2], lab)}{found[3]}", text)
    _check(text, name, (*carried, *added))
    return Grown(text, added, there, carried, left_out)


def without(lab: Lab, text: str) -> tuple[str, tuple[str, ...]]:
    """A student's text without the methods of the labs before, which are inherited then; and which those were.

    Raises: GrowingError.
    """
    assert lab.gather is not None
    name = lab.gather.name
    theirs = _methods(_class_in(text, name))
    gone = written_before(lab, text)
    text = _taken_out(text, name, gone)
    _check(text, name, [each for each in theirs if each not in gone])
    return text, gone


def written_before(lab: Lab, text: str) -> tuple[str, ...]:
    """The methods of the labs before that a student's text has, written or not. Raises: GrowingError."""
    assert lab.gather is not None
    theirs = _methods(_class_in(text, lab.gather.name))
    return tuple(each for each in methods_of(labs_before(lab)) if each in theirs)


def unasked_overrides(lab: Lab, text: str) -> tuple[str, ...]:
    """Methods that take the place of given ones, and that none of the labs up to this one asks for. Raises: GrowingError."""
    assert lab.gather is not None
    asked = {*methods_of((lab, *labs_before(lab)))}
    base = getattr(import_module(lab.files[lab.organ_file].removesuffix(".py").replace("/", ".")), lab.gather.base)
    theirs = _methods(_class_in(text, lab.gather.name))
    return tuple(each for each in theirs if each not in asked and not each.startswith("__") and hasattr(base, each))


def renamed(text: str, old: str, new: str) -> str:
    """A student's own modules are imported by the lab's name: here by the new one's."""
    text = re.sub(rf"^(\s*(?:from|import)\s+){re.escape(old)}\b", rf"\g<1>{new}", text, flags=re.MULTILINE)
    if not re.search(rf"^\s*import\s+{re.escape(new)}\b", text, flags=re.MULTILINE):
        return text
    return re.sub(rf"(?<![\w.]){re.escape(old)}(?=\.[A-Za-z_])", new, text)  # `import lab.helpers` is used by that name


# --- looking


def _class_in(text: str, name: str) -> ast.ClassDef:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise GrowingError(f"it is no Python ({line}{said})") from error
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    if len(found) != 1:
        raise GrowingError(f"it has no class {name}" if not found else f"it has {len(found)} classes {name}")
    return found[0]


def _methods(kind: ast.ClassDef) -> dict[str, _Function]:
    return {node.name: node for node in kind.body if isinstance(node, _Function)}


def _first_line(node: _Function) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _is_not_written(function: _Function) -> bool:
    """As the skeleton has it."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    match body:
        case [ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str(said))]))]:
            return bool(_NOT_WRITTEN.fullmatch(said))
    return False


def _source(text: str, node: _Function) -> list[str]:
    return text.split("\n")[_first_line(node) - 1 : node.end_lineno]


# --- changing


def _taken_out(text: str, name: str, methods: Collection[str]) -> str:
    kind = _class_in(text, name)
    lines = text.split("\n")
    for node in sorted(_methods(kind).values(), key=_first_line, reverse=True):
        if node.name in methods:
            first, end = _first_line(node) - 1, node.end_lineno or 0
            while end < len(lines) and not lines[end].strip() and first > 0 and not lines[first - 1].strip():
                end += 1  # of the empty lines on both sides one is left
            del lines[first:end]
    if all(isinstance(node, _Function) and node.name in methods for node in kind.body):
        lines.insert(kind.body[0].lineno - 1, "    pass")
    return "\n".join(lines)


def _with_methods(text: str, name: str, sources: Iterable[list[str]]) -> str:
    """Behind what the class has, as far to the right."""
    kind = _class_in(text, name)
    lines = text.split("\n")
    first = kind.body[0]
    indent = lines[first.lineno - 1][: len(lines[first.lineno - 1]) - len(lines[first.lineno - 1].lstrip())]
    new: list[str] = []
    for source in sources:
        new += ["", *(indent + line[4:] if line.strip() else "" for line in source)]
    end = kind.end_lineno or 0
    lines[end:end] = new
    return "\n".join(lines)


def _with_imports(text: str, skeleton: str) -> str:
    """What the skeleton imports and the text does not."""
    tree, lines = ast.parse(text), text.split("\n")
    known = {name for node in tree.body for name in _bound(node)}
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for wanted in ast.parse(skeleton).body:
        if not isinstance(wanted, ast.ImportFrom):
            continue
        missing = [alias.name for alias in wanted.names if alias.name not in known]
        if not missing:
            continue
        same = next((node for node in imports if _can_grow(node, wanted.module, lines)), None)
        names = missing if same is None else [*missing, *(alias.name for alias in same.names)]
        line = f"from {wanted.module} import {', '.join(sorted(names))}"
        if same is not None and len(line) <= _LINE_CHARS:
            _, newline, behind = lines[same.lineno - 1].partition("\n")
            lines[same.lineno - 1] = line + newline + behind
        else:
            at = _behind_imports(tree, imports)
            lines[at - 1] += f"\n{line}" if at else ""
            if not at:
                lines[0] = f"{line}\n{lines[0]}"
    return "\n".join(lines)


def _bound(node: ast.stmt) -> list[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name for alias in node.names]
        case ast.ClassDef() | ast.FunctionDef():
            return [node.name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _can_grow(node: ast.stmt, module: str | None, lines: list[str]) -> bool:
    """An import of that module that is a line of its own, with plain names."""
    if not (isinstance(node, ast.ImportFrom) and node.module == module and node.lineno == node.end_lineno and not node.level):
        return False
    plain = f"from {module} import {', '.join(alias.name for alias in node.names)}"
    return lines[node.lineno - 1].partition("\n")[0].rstrip() == plain and not any(alias.asname for alias in node.names)


def _behind_imports(tree: ast.Module, imports: Iterable[ast.stmt]) -> int:
    """The line behind which an import may stand; 0 for the very beginning."""
    last = max((node.end_lineno or 0 for node in imports), default=0)
    return last or (tree.body[0].end_lineno or 0 if ast.get_docstring(tree) else 0)


def _spoken(said: str, lab: Lab) -> str:
    """Such as "labs 3a and 3b"."""
    numbers = [*re.findall(r"\b\d\w+\b", said), lab.spoken.removeprefix("lab ")]
    numbers = list(dict.fromkeys(numbers))
    return f"labs {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else f"lab {numbers[0]}"


def _check(text: str, name: str, methods: Iterable[str]) -> None:
    """Raises: GrowingError when the text did not become what it should be: it is written in a way that is not foreseen."""
    try:
        lacking = {*methods} - {*_methods(_class_in(text, name))}
    except GrowingError as error:
        raise GrowingError(f"its class {name} is written in a way that cannot be carried on by lines") from error
    if lacking:
        raise GrowingError(f"its class {name} is written in a way that cannot be carried on by lines")
