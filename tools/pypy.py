"""Many seeds in less time: PyPy runs them, on a copy of the core and the world that its Python 3.9 can read.

PyPy takes some hundred seeds to get warm and is then about twice as fast as CPython. The copy is made by rules that change no
meaning: `match` becomes `if`, unions of types become tuples, what 3.9 does not know yet comes from `pypy_site.py`. That a run is
the same, byte for byte, is looked at for the first seeds of each Raft (`same_traces`).
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import chain, repeat
from pathlib import Path

from mq.sim.group.seeds import SeedResult
from tools.killers import in_turns

__all__ = ["Rewriter", "make_copy", "run_seeds", "same_traces"]

_ROOT = Path(__file__).parent.parent
_PACKAGES = ("mq", "labs/stage3_raft")
_RUN = Path(__file__).with_name("pypy_run.py")
_SITE = Path(__file__).with_name("pypy_site.py")


class Rewriter(ast.NodeTransformer):
    """A module of Python 3.11 in the words of 3.9. Raises: NotImplementedError where it knows none."""

    def __init__(self) -> None:
        self._subjects = 0

    def visit_Match(self, node: ast.Match) -> list[ast.stmt]:
        """One `if` after the other, from the last one on."""
        self.generic_visit(node)
        self._subjects += 1
        name = f"_subject_{self._subjects}"
        rest: list[ast.stmt] = []
        for case in reversed(node.cases):
            if case.guard is not None:
                raise NotImplementedError("a guard")
            test, bound = _as_test(case.pattern, ast.Name(name, ast.Load()))
            body = [*bound, *case.body]
            rest = body if test is None else [ast.If(test, body, rest)]
        return [ast.Assign([ast.Name(name, ast.Store())], node.subject), *rest]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        """A name for a type is for readers of types alone, and they read the original."""
        self.generic_visit(node)
        if isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias":
            return ast.Assign([node.target], ast.Name("object", ast.Load()))
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """`Shape = Box | Line` is asked for by `isinstance`."""
        self.generic_visit(node)
        parts = _parts(node.value)
        if len(parts) > 1 and all(
            isinstance(part, ast.Name) and part.id[:1].isupper() and not part.id.isupper() for part in parts
        ):
            node.value = ast.Tuple(parts, ast.Load())
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`zip(strict=)` only raises, and `isinstance(_, A | B)` takes a tuple."""
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "zip":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "strict"]
        if name == "isinstance" and len(parts := _parts(node.args[1])) > 1:
            node.args[1] = ast.Tuple(parts, ast.Load())
        return node


def _parts(union: ast.expr) -> list[ast.expr]:
    """Of `A | B | C`; anything else is its own only part."""
    if isinstance(union, ast.BinOp) and isinstance(union.op, ast.BitOr):
        return [*_parts(union.left), *_parts(union.right)]
    return [union]


def _as_test(pattern: ast.pattern, subject: ast.expr) -> tuple[ast.expr | None, list[ast.stmt]]:
    """What must be true, None for what always fits; and the names that it binds."""
    match pattern:
        case ast.MatchAs(pattern=None, name=name):
            return None, _bind(name, subject)
        case ast.MatchValue(value=value):
            return ast.Compare(subject, [ast.Eq()], [value]), []
        case ast.MatchSingleton(value=constant):
            return ast.Compare(subject, [ast.Is()], [ast.Constant(constant)]), []
        case ast.MatchOr(patterns=patterns):
            tests = [_as_test(one, subject) for one in patterns]
            if any(bound for _, bound in tests):
                raise NotImplementedError("names in one of several patterns")
            return ast.BoolOp(ast.Or(), [test for test, _ in tests if test is not None]), []
        case ast.MatchClass():
            return _as_class_test(pattern, subject)
    raise NotImplementedError(ast.dump(pattern))


def _as_class_test(pattern: ast.MatchClass, subject: ast.expr) -> tuple[ast.expr, list[ast.stmt]]:
    names = ast.Call(ast.Name("field_names", ast.Load()), [pattern.cls], [])
    places = [ast.Subscript(names, ast.Constant(place), ast.Load()) for place in range(len(pattern.patterns))]
    by_place = [ast.Call(ast.Name("getattr", ast.Load()), [subject, place], []) for place in places]
    by_name = [ast.Attribute(subject, name, ast.Load()) for name in pattern.kwd_attrs]
    tests: list[ast.expr] = [ast.Call(ast.Name("isinstance", ast.Load()), [subject, pattern.cls], [])]
    bound: list[ast.stmt] = []
    for part, value in zip([*pattern.patterns, *pattern.kwd_patterns], [*by_place, *by_name], strict=True):
        test, names_of_part = _as_test(part, value)
        tests += [] if test is None else [test]
        bound += names_of_part
    return (ast.BoolOp(ast.And(), tests) if len(tests) > 1 else tests[0]), bound


def _bind(name: str | None, value: ast.expr) -> list[ast.stmt]:
    return [] if name is None else [ast.Assign([ast.Name(name, ast.Store())], value)]


def rewritten(source: str) -> str:
    """A module, for Python 3.9. Raises: NotImplementedError."""
    tree = Rewriter().visit(ast.parse(source))
    has_docstring = bool(tree.body) and isinstance(tree.body[0], ast.Expr)
    tree.body.insert(int(has_docstring), ast.parse("from __future__ import annotations").body[0])
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def make_copy(folder: Path) -> None:
    """Of all that a run of a group needs. What no rule is for is no part of that: it is copied as it is."""
    for package in _PACKAGES:
        for file in (_ROOT / package).rglob("*.py"):
            source = file.read_text(encoding="utf-8")
            with suppress(NotImplementedError):
                source = rewritten(source)
            copy = folder / file.relative_to(_ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(source, encoding="utf-8")
    shutil.copy(_SITE, folder / "sitecustomize.py")


def _call(folder: Path, python: str, what: str, seeds: range, steps: int, raft: str) -> "subprocess.Popen[str]":
    """folder: the root of the code that is run."""
    command = [python, str(_RUN), what, *map(str, (seeds.start, seeds.stop, seeds.step, steps, raft))]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(folder)})


def run_seeds(folder: Path, seeds: range, steps: int, raft: str, *, jobs: int = 1, python: str = "pypy3") -> Iterator[SeedResult]:
    """As `mq.sim.group.seeds.run_seeds`, on a copy, and in the seeds' order. raft: `FILE:Class`, the file from the copy's root.

    Raises: subprocess.CalledProcessError when one of the processes did not come to its end; what came before has no gap.
    """
    parts = [seeds[part::jobs] for part in range(jobs)]
    with ExitStack() as stack:
        running = [_call(folder, python, "seeds", part, steps, raft) for part in parts]
        for one in running:
            stack.enter_context(one)
            stack.callback(one.kill)
        # They take turns, so what comes is in the seeds' order: the first that is missing is where one of them died.
        for place, line in enumerate(chain(in_turns(running), repeat(None))):
            if place == len(seeds):
                break
            result = None if line is None else SeedResult.from_line(line)
            if result is None or result.seed != seeds[place]:
                dead = running[place % jobs]
                raise subprocess.CalledProcessError(dead.wait(), dead.args)
            yield result


def same_traces(folder: Path, seeds: range, steps: int, raft: str, *, python: str = "pypy3") -> bool:
    """Whether these runs leave the same trace there and here, byte for byte."""
    running = [_call(root, one, "traces", seeds, steps, raft) for one, root in ((python, folder), (sys.executable, _ROOT))]
    said = [one.communicate()[0] for one in running]
    return said[0] == said[1] and said[0].count("\n") == len(seeds)
