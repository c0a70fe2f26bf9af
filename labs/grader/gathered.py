"""One class of a student's, gathered from a class of ours that is built in layers: the methods that are asked for, and no more.

    [files]                                  # lab.toml
    "raft.py" = "mq/raft/node.py"            # where the whole class is; the student's class is derived from it

    [gather]
    class = "Raft"
    sources = ["mq/raft/election.py"]        # the layers that the methods are taken from

    [[blank]]
    name = "Election.on_vote_request"

What a student does not write is inherited: where it is run, the layers are there, and the bodies of the lab's own methods are
taken out of them. So the class grows from lab to lab, and a lab can be begun without those before it.
"""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from labs.grader.lab import Blank, Lab

__all__ = ["gathered"]

_ROOT = Path(__file__).resolve().parent.parent.parent
_HEAD = '''"""Your {name}, the methods of {lab}. What is not written here is inherited from `{module}.{base}`, which is given."""

{imports}

__all__ = ["{name}"]


class {name}({base}):
    """See `{module}`."""

    __slots__ = ()
'''


class _Layer(NamedTuple):
    """A source file. names: what it imports or defines outside of its classes, with the statement that brings each."""

    file: str
    source: str
    names: Mapping[str, str]


def _layer(file: str) -> _Layer:
    source = (_ROOT / file).read_text(encoding="utf-8")
    module = file.removesuffix(".py").replace("/", ".")
    names: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            names.update({alias.name: node.module or "" for alias in node.names})
        elif isinstance(node, ast.Assign):
            names.update({target.id: module for target in node.targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            names[node.name] = module
    return _Layer(file, source, names)


def _method(layer: _Layer, name: str) -> tuple[str, set[str]] | None:
    """Source of `Class.method` as it stands there, and the names that it uses; None when it is not there."""
    kind, _, method = name.partition(".")
    for node in ast.parse(layer.source).body:
        if isinstance(node, ast.ClassDef) and node.name == kind:
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name == method:
                    first = min([each.lineno, *(decorator.lineno for decorator in each.decorator_list)])
                    used = {found.id for found in ast.walk(each) if isinstance(found, ast.Name)}
                    return "\n".join(layer.source.split("\n")[first - 1 : each.end_lineno]), used
    return None


def gathered(lab: Lab, blanks: Iterable[Blank]) -> str:
    """The text of the class, with all methods of the lab written but these. Raises: ValueError for one that is not there."""
    assert lab.gather is not None
    layers = [_layer(file) for file in lab.gather.sources]
    taken_out = {blank.name for blank in blanks}
    texts, needed = [], dict[str, set[str]]()
    for blank in lab.blanks:
        found = next(((layer, each) for layer in layers if (each := _method(layer, blank.name)) is not None), None)
        if found is None:
            raise ValueError(f"{lab.id}: none of {', '.join(lab.gather.sources)} has {blank.name}")
        layer, (text, used) = found
        for name in used & set(layer.names):
            needed.setdefault(layer.names[name], set()).add(name)
        if blank.name in taken_out:
            text = _hollow(text, f"{lab.spoken}: {lab.gather.name}.{blank.name.partition('.')[2]}")
        texts.append(text)
    module = lab.files[lab.organ_file].removesuffix(".py").replace("/", ".")
    needed.setdefault(module, set()).add(lab.gather.base)
    lines = [f"from {name} import {', '.join(sorted(needed[name]))}" for name in sorted(needed)]
    theirs = [line for line in lines if not line.startswith("from mq.")]
    imports = "\n".join([*theirs, *([""] if theirs else []), *(line for line in lines if line not in theirs)])
    head = _HEAD.format(name=lab.gather.name, lab=lab.spoken, module=module, base=lab.gather.base, imports=imports)
    return head + "\n" + "\n\n".join(texts) + "\n"


def _hollow(text: str, says: str) -> str:
    """A method without its body."""
    lines = text.split("\n")
    function = ast.parse("class _:\n" + text).body[0].body[0]  # type: ignore[attr-defined]
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return "\n".join([*lines[: body[0].lineno - 2], f'        raise NotImplementedError("{says}")'])
