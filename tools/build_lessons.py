"""Makes the notebooks of the lessons: percent source in, executed notebook out, the same bytes each time.

    .venv/bin/python -m tools.build_lessons                  all lessons whose notebook is missing or differs
    .venv/bin/python -m tools.build_lessons log --fresh      those with `log` in their name; live cells measured anew
    .venv/bin/python -m tools.build_lessons --check log      execute, and say what differs from the committed notebook

A cell tagged `live` measures or starts processes: it is executed, and what it says is not compared. Its committed
outputs stay as long as its source does, so that making a notebook again changes nothing. When it is tagged `first-words`
as well, the first word of each line must stay the same: names that a listing begins with. Everything else must come out
the same on any machine: text to the letter, pictures but for a few pixels.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tools.lesson_compare import cells_equal, differences
from tools.lesson_files import LESSONS, Lesson, lessons_of, read_notebook, read_source, write_notebook

__all__ = ["LessonError", "check", "execute", "main", "make"]

_SECONDS_MAX = 500
"""For one cell."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class LessonError(Exception):
    """A lesson that cannot be executed to its end."""


def execute(lesson: Lesson) -> dict[str, Any]:
    """The notebook of a lesson's source with its outputs. Raises: LessonError when a cell does not come to its end."""
    import nbformat  # noqa: PLC0415 - slow to load, and not needed to compare
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellControlSignal  # noqa: PLC0415

    notebook = nbformat.from_dict(read_source(lesson.source))  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="mq-lesson-") as folder:
        os.environ.update(_surroundings(Path(folder)))
        client = NotebookClient(
            notebook,
            timeout=_SECONDS_MAX,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(lesson.source.parent)}},
        )
        try:
            client.execute()
        except CellControlSignal as error:
            raise LessonError(_COLOUR.sub("", str(error))) from error
    return tidied(notebook)


def _surroundings(folder: Path) -> dict[str, str]:
    """What keeps a kernel away from this user's own settings and work, and makes sets come out in one order."""
    (folder / "matplotlibrc").touch()
    names = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "MATPLOTLIBRC": "matplotlibrc",
        "RAFTMQ_WORK": "work",
    }
    return {"PYTHONHASHSEED": "0", "JUPYTER_PLATFORM_DIRS": "1", "PYTHONPATH": ""} | {
        name: str(folder / part) for name, part in names.items()
    }


def tidied(notebook: Any) -> dict[str, Any]:
    """Without what only says where and when it ran."""
    notebook["metadata"]["language_info"] = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).pop("needs_background", None)
    return dict(notebook)


def settled(made: dict[str, Any], committed: dict[str, Any] | None) -> dict[str, Any]:
    """What was made, with the committed outputs where they say the same, or may say something else (live cells)."""
    before = {cell["id"]: cell for cell in (committed or {"cells": ()})["cells"]}
    for cell in made["cells"]:
        old = before.get(cell["id"])
        if old is None or "outputs" not in cell or old.get("source") != cell["source"]:
            continue
        if cells_equal(cell, old):
            cell["outputs"] = old["outputs"]
    return made


def make(lesson: Lesson, *, is_fresh: bool = False, run: Callable[[Lesson], dict[str, Any]] = execute) -> bool:
    """Execute a lesson and write its notebook. Returns whether that changed anything. is_fresh: live cells, too."""
    committed = read_notebook(lesson.notebook)
    return write_notebook(lesson.notebook, settled(run(lesson), None if is_fresh else committed))


def check(lesson: Lesson, *, run: Callable[[Lesson], dict[str, Any]] = execute) -> list[str]:
    """Execute a lesson and say, in sentences, how its committed notebook differs; nothing when it does not."""
    committed = read_notebook(lesson.notebook)
    if committed is None:
        return [f"{lesson.name}: there is no notebook of it"]
    return [f"{lesson.name}, {sentence}" for sentence in differences(run(lesson), committed)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 done or nothing differs, 1 something differs, 2 no such lesson."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="parts of lessons' names; all lessons without one")
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    parser.add_argument("--fresh", action="store_true", help="take new outputs of live cells, too")
    options = parser.parse_args(arguments)
    chosen = [lesson for lesson in lessons_of(LESSONS) if not options.words or any(word in lesson.name for word in options.words)]
    if not chosen:
        print(f"no lesson has {' or '.join(options.words)} in its name", file=sys.stderr)
        return 2
    found: list[str] = []
    for lesson in chosen:
        try:
            if options.check:
                found += check(lesson)
            else:
                is_changed = make(lesson, is_fresh=options.fresh)
                print(f"{lesson.name}: {'written' if is_changed else 'nothing changed'}", flush=True)
        except LessonError as error:
            found.append(f"{lesson.name}: {error}")
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
