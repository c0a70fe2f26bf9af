"""Where lessons lie, and how source and notebook are read and written.

A lesson's source is a Python file in the percent format: `# %% [markdown]` begins a cell of text, `# %%` one of code,
`# %% tags=["live"]` one whose outputs are not compared (with "first-words": but for the first word of each line),
`# %% tags=["picture"]` one that only draws: JupyterLab shows what it draws, and its code on a click.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["LESSONS", "Lesson", "lessons_of", "read_notebook", "read_source", "write_notebook"]

LESSONS = Path(__file__).resolve().parent.parent / "lessons"


@dataclass(frozen=True, slots=True)
class Lesson:
    """source: `NN_title.py`; its notebook stands beside it."""

    source: Path

    @property
    def name(self) -> str:
        """As "stage1_single_node/01_title", the start page without a folder."""
        stem = self.source.stem
        return stem if stem == "README" else f"{self.source.parent.name}/{stem}"

    @property
    def notebook(self) -> Path:
        """The executed notebook; it need not exist."""
        return self.source.with_suffix(".ipynb")


def lessons_of(folder: Path) -> list[Lesson]:
    """The start page and all lessons below a folder, in reading order."""
    start = [file for file in (folder / "README.py",) if file.exists()]
    return [Lesson(file) for file in [*start, *sorted(folder.glob("[!_]*/[0-9]*.py"))]]


def read_source(file: Path) -> dict[str, Any]:
    """The notebook that a source stands for, without outputs."""
    import jupytext  # noqa: PLC0415 - slow to load, and not needed to compare

    notebook = jupytext.read(file, fmt="py:percent")
    notebook["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    for number, cell in enumerate(notebook["cells"], 1):
        cell["id"] = f"cell-{number:02d}"
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = ({"tags": tags} if tags else {}) | ({"jupyter": {"source_hidden": True}} if "picture" in tags else {})
    return dict(notebook)


def read_notebook(file: Path) -> dict[str, Any] | None:
    """A notebook as it is committed; None when there is none."""
    try:
        return joined(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def joined(notebook: dict[str, Any]) -> dict[str, Any]:
    """With texts in one piece; files hold them line by line, so that a change of one is a change of one line."""
    for cell in notebook["cells"]:
        cell["source"] = _whole(cell["source"])
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = _whole(output["text"])
            for kind, value in output.get("data", {}).items():
                output["data"][kind] = _whole(value)
    return notebook


def _whole(text: Any) -> Any:
    return "".join(text) if isinstance(text, list) else text


def write_notebook(file: Path, notebook: dict[str, Any]) -> bool:
    """Write it where it differs from what is there. Returns whether it did."""
    text = json.dumps(_split(notebook), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    file.write_text(text, encoding="utf-8", newline="\n")
    return True


def _split(notebook: dict[str, Any]) -> dict[str, Any]:
    split: dict[str, Any] = json.loads(json.dumps(notebook))
    for cell in split["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = output["text"].splitlines(keepends=True)
            for kind, value in output.get("data", {}).items():
                if kind.startswith("text/"):
                    output["data"][kind] = value.splitlines(keepends=True)
    return split
