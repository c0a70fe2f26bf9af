"""Runs some sections of a lesson without a notebook, and prints what they say: `python -m tests.lessons.run_cells FILE 3,5`.

Cells of other sections are run where a name that they make is needed. Pictures are not drawn: what is told of them as text is.
"""

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Cell", "cells_of", "needed"]


class Cell(NamedTuple):
    """Some code. section: its number, empty before the first. makes, uses: names."""

    section: str
    code: str
    makes: frozenset[str]
    uses: frozenset[str]


def cells_of(source: str) -> list[Cell]:
    """The cells of code of a lesson, in order."""
    found, section = [], ""
    for part in re.split(r"(?m)^# %%", source)[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            section = next(iter(re.findall(r"(?m)^# ## (\d*)", body)[::-1]), section)
        else:
            found.append(Cell(section, body, *_names(body)))
    return found


def _names(code: str) -> tuple[frozenset[str], frozenset[str]]:
    makes, uses = set[str](), set[str]()
    tree = ast.parse(code)
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Load()):
                uses.add(node.id)
            case ast.Name():
                makes.add(node.id)
            case ast.FunctionDef() | ast.ClassDef():
                makes.add(node.name)
            case ast.Import() | ast.ImportFrom():
                makes |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return frozenset(makes), frozenset(uses - _own(tree))


def _own(tree: ast.Module) -> set[str]:
    """What a cell makes by a `with` at its beginning: what it does with that name needs no earlier cell that makes the same."""
    own, loaded = set[str](), set[str]()
    for statement in tree.body:
        items = statement.items if isinstance(statement, ast.With) else []
        before: list[ast.AST] = [item.context_expr for item in items] or [statement]
        nodes = [node for part in before for node in ast.walk(part)]
        loaded |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        own |= {item.optional_vars.id for item in items if isinstance(item.optional_vars, ast.Name)} - loaded
    return own


def needed(cells: list[Cell], sections: Iterable[str]) -> list[Cell]:
    """The cells of these sections, and those before them that make what they use."""
    chosen = {number for number, cell in enumerate(cells) if cell.section in set(sections)}
    todo = list(chosen)
    while todo:
        number = todo.pop()
        for name in cells[number].uses:
            maker = next((before for before in range(number - 1, -1, -1) if name in cells[before].makes), None)
            if maker is not None and maker not in chosen:
                chosen.add(maker)
                todo.append(maker)
    return [cells[number] for number in sorted(chosen)]


def _draw_nothing() -> None:
    import IPython.core.pylabtools as pylab  # noqa: PLC0415 - slow to load, and only where something is run
    import IPython.display as shown  # noqa: PLC0415
    import matplotlib as mpl  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    mpl.use("Agg")
    from lessons import raft_pictures  # noqa: PLC0415

    def display(said: Any, **_: object) -> None:
        print(said.get("text/plain", "") if isinstance(said, dict) else "")

    def draw(file: Path, *_: object) -> None:
        Image.new("RGB", (8, 8)).save(file)

    for module, name, stand_in in (
        (pylab, "print_figure", lambda *_, **__: ""),
        (shown, "display", display),
        (shown, "update_display", lambda *_, **__: None),
        (raft_pictures, "draw_png", draw),
    ):
        setattr(module, name, stand_in)


def main() -> None:
    """See the module."""
    file, sections = sys.argv[1:]
    _draw_nothing()
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in needed(cells_of(Path(file).read_text(encoding="utf-8")), sections.split(",")):
        exec(compile(cell.code, "<a cell>", "exec"), names)


if __name__ == "__main__":
    main()
