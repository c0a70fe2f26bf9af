"""How large an edit to the reference a Raft is: what it overrides and adds, and how many lines differ. By its syntax alone."""

import ast
from difflib import SequenceMatcher
from inspect import getsource
from textwrap import dedent
from types import FunctionType
from typing import NamedTuple

from mq.raft.node import RaftNode

__all__ = ["RaftEdit", "edit_of"]


class RaftEdit(NamedTuple):
    """methods: that it overrides. fields: names of new ones. helpers: classes, functions and values beside it.

    lines: that differ from the reference's, of the method where most do; places: where they are, of the method with most.
    lost: methods that leave out what other layers add.
    """

    methods: tuple[str, ...]
    fields: tuple[str, ...]
    helpers: int
    lines: int
    places: int
    lost: tuple[str, ...]


def edit_of(source: str) -> RaftEdit:
    """Of a module that holds a class `Raft`."""
    *before, raft = [node for node in ast.parse(source).body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert isinstance(raft, ast.ClassDef), "the last thing in the module is its class"
    assert raft.name == "Raft"
    assert [ast.unparse(base) for base in raft.bases] == ["RaftNode"]
    docstring, slots, *rest = raft.body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(slots, ast.Assign)
    assert ast.unparse(slots.targets[0]) == "__slots__"
    methods = [node for node in rest if isinstance(node, ast.FunctionDef)]
    assert len(methods) == len(rest), "nothing but methods: a value in the class would be one for all nodes"
    return RaftEdit(
        tuple(method.name for method in methods),
        tuple(ast.literal_eval(slots.value)),
        sum(not ast.unparse(node).startswith("__all__") for node in before),
        max(_lines_changed(method) for method in methods),
        max(_places_changed(method) for method in methods),
        tuple(method.name for method in methods if _calls_super(_reference(method.name)) and not _calls_super(method)),
    )


def _reference(name: str) -> ast.FunctionDef:
    """The method that would be called if it were not overridden. Raises: StopIteration when there is none."""
    found = next(vars(layer)[name] for layer in RaftNode.__mro__ if name in vars(layer))
    function = found.fget if isinstance(found, property) else found
    assert isinstance(function, FunctionType)
    method = ast.parse(dedent(getsource(function))).body[0]
    assert isinstance(method, ast.FunctionDef)
    return method


def _lines_changed(method: ast.FunctionDef) -> int:
    """As a copy of the reference's, or, where it calls that one, by what it puts around the call, if that is less."""
    own = _lines(method)
    matcher = SequenceMatcher(None, _lines(_reference(method.name)), own, autojunk=False)
    changed = sum(max(j - i, n - m) for kind, i, j, m, n in matcher.get_opcodes() if kind != "equal")
    return min(changed, len(own)) if _calls_super(method) else changed


def _places_changed(method: ast.FunctionDef) -> int:
    """Runs of lines that differ from the reference's; where it calls that: before the call, behind it, and whether it is made.

    What stands behind the call and uses what was remembered before it is one with that; so is giving back what the call gave.
    """
    if not _calls_super(method):
        matcher = SequenceMatcher(None, _lines(_reference(method.name)), _lines(method), autojunk=False)
        return sum(kind != "equal" for kind, *_ in matcher.get_opcodes())
    body = method.body[1:] if ast.get_docstring(method) is not None else method.body
    at = next(place for place, statement in enumerate(body) if f"super().{method.name}(" in ast.unparse(statement))
    before, call, after = body[:at], body[at], body[at + 1 :]
    is_one = bool(before and _names(before, ast.Store) & _names(after, ast.Load)) or all(
        isinstance(it, ast.Return) for it in after
    )
    return isinstance(call, ast.If | ast.For) + bool(before) + (bool(after) and not is_one)


def _names(statements: list[ast.stmt], use: type[ast.expr_context]) -> set[str]:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, use)}


def _lines(method: ast.FunctionDef) -> list[str]:
    """Without docstring and comments, however they are laid out."""
    body = method.body[1:] if ast.get_docstring(method) is not None else method.body
    return "\n".join(map(ast.unparse, body)).splitlines()


def _calls_super(method: ast.FunctionDef) -> bool:
    return f"super().{method.name}(" in ast.unparse(method)
