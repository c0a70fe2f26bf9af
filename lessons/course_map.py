"""The map of the course, and how far one is: from `course.toml`, the files that are there, and `mq lab list`."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import networkx as nx

from lessons.showing import COLOURS, FAINT, FREE, ROOT, TEXT, bare, figure, legend_below

__all__ = ["draw_map", "lesson_links", "progress", "stages"]


def stages() -> list[dict[str, Any]]:
    """The stages of the course, in order."""
    course: dict[str, Any] = tomllib.loads((ROOT / "course.toml").read_text(encoding="utf-8"))
    return list(course["stage"])


def title_of(notebook: Path) -> str:
    """The first heading of a notebook, without its sign."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].lstrip("# ")


def lesson_links() -> str:
    """The lessons as a list of links, for Markdown."""
    lines = []
    for stage in stages():
        if stage["lessons"]:
            lines.append(f"**Stage {stage['id']}: {stage['title']}**\n")
            for name in stage["lessons"]:
                file = f"{stage['folder']}/{name}.ipynb"
                lines.append(f"* [{title_of(ROOT / 'lessons' / file)}]({file})")
            lines.append("")
    return "\n".join(lines)


def _labs_of(stage: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(id, label, kind) of a stage's labs."""
    found = []
    for name in stage["labs"]:
        is_there = (ROOT / "labs" / stage["folder"] / name / "lab.toml").exists()
        short, _, noun = name.partition("_")
        found.append((name, f"{short.replace('lab', 'lab ')}\n{noun.replace('_', ' ')}", "lab" if is_there else "planned"))
    return found


def draw_map() -> None:
    """Each stage a row: its labs, and above them the lessons that lead into them."""
    graph, boxes, names, y = nx.Graph(), {}, [], 0.0
    for stage in stages():
        lessons = [(f"{stage['id']}/{name}", f"lesson {int(name[:2])}", "lesson") for name in stage["lessons"]]
        labs = _labs_of(stage)
        top = y
        for row, gap in ((lessons, 1.0), (labs, 1.45)):
            for column, (name, label, kind) in enumerate(row):
                boxes[name] = (column * gap, y, label, kind)
            nx.add_path(graph, [name for name, _, _ in row])
            y -= 0.75 if row else 0.0
        if labs or lessons:
            names.append((top if not lessons else top - 0.37, f"{stage['id']}  {stage['title'].split(':')[0]}"))
            y -= 0.3
    _, axes = figure(0.72 * -y)
    bare(axes)
    nx.draw_networkx_edges(graph, {name: box[:2] for name, box in boxes.items()}, ax=axes, edge_color=FAINT, width=1.2)
    fills = {"lesson": COLOURS["good"], "lab": COLOURS["safe"], "planned": FREE}
    for x, bottom, label, kind in boxes.values():
        box = {"boxstyle": "round,pad=0.38", "facecolor": fills[kind], "edgecolor": "white"}
        axes.text(
            x, bottom, label, ha="center", va="center", fontsize=9.5, bbox=box, color=TEXT if kind == "planned" else "white"
        )
    for middle, name in names:
        axes.text(-0.8, middle, name, ha="right", va="center", fontweight="bold")
    axes.set_xlim(-3.0, max(x for x, *_ in boxes.values()) + 0.7)
    axes.set_ylim(y + 0.55, 0.5)
    legend_below(axes, {fills["lesson"]: "a lesson", fills["lab"]: "a lab", fills["planned"]: "not there yet"})
    plt.show()


def progress() -> str:
    """How far each lab is, for Markdown: what `mq lab list` says, and what the last check or grade of the work came to.

    RAFTMQ_WORK: another folder than `work`. The notebook that everybody gets is made with an empty one.
    """
    command = [sys.executable, "-m", "mq.cli.main", "lab", "list", "-o", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = ["| lab | | hours | your work | last result |", "|---|---|---|---|---|"]
    for lab in json.loads(done.stdout)["labs"]:
        is_started = lab["work"] != "not started" and (_work() / Path(lab["work"]).name).is_dir()
        work = f"`{lab['work']}`" if is_started else f"`.venv/bin/mq lab start {lab['lab']}`"
        lines.append(f"| **{lab['lab']}** | {lab['title']} | {lab['hours']} | {work} | {_result_of(lab)} |")
    return "\n".join(lines)


def _work() -> Path:
    return Path(os.environ.get("RAFTMQ_WORK", ROOT / "work"))


def _result_of(lab: dict[str, Any]) -> str:
    for file in sorted((_work() / "results").glob(f"{lab['lab']}_*/progress.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        return f"{found['points']} of {found['max_points']} points (`{found['by']}`, {found['at']})"
    return f"none yet, of {lab['points']} points"
