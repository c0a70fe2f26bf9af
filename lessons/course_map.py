"""The map of the course, the order in which one goes, and how far one is: from `course.toml`, `mq lab list`, the files there."""

import json
import os
import subprocess
import sys
import textwrap
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
from matplotlib.axes import Axes

from labs.grader.way import in_words, spoken
from lessons.showing import COLOURS, FAINT, FREE, ROOT, TEXT, bare, figure, legend_below, show_with_words

__all__ = ["draw_map", "lesson_links", "progress", "stages", "way", "way_in_words"]

_FILLS = {"lesson": COLOURS["good"], "lab": COLOURS["safe"], "planned": FREE}
_LABEL_CHARS = 11
"""In one line of a lab's box."""
_NEAR = 1.6
"""An arrow that leads further down than this would cross other boxes."""


def _course() -> dict[str, Any]:
    return tomllib.loads((ROOT / "course.toml").read_text(encoding="utf-8"))


def stages() -> list[dict[str, Any]]:
    """The stages of the course, in order."""
    return list(_course()["stage"])


def way() -> list[str]:
    """The lessons and labs that are there, by name, in the order in which one goes."""
    gone = {name for stage in stages() for name in stage["labs"] if not _is_there(stage, name)}
    return [name for name in _course()["way"] if name not in gone]


def way_in_words() -> str:
    """The way as "lab 0, lessons 0 and 1, lab 1a"."""
    return in_words(way())


def _is_there(stage: dict[str, Any], lab: str) -> bool:
    """A draft is not there yet, for those who take the course."""
    about = ROOT / "labs" / stage["folder"] / lab / "lab.toml"
    return about.exists() and not tomllib.loads(about.read_text(encoding="utf-8")).get("is_draft", False)


def title_of(notebook: Path) -> str:
    """The first heading of a notebook, without its sign."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].lstrip("# ")


def lesson_links() -> str:
    """The lessons as a list of links, each with the labs that come behind it, for Markdown."""
    lines, names = [], way()
    for stage in stages():
        if stage["lessons"]:
            lines.append(f"**Stage {stage['id']}: {stage['title']}**\n")
            for name in stage["lessons"]:
                file = f"{stage['folder']}/{name}.ipynb"
                labs = _labs_behind(names, name)
                then = f"; then {' and '.join(map(spoken, labs))}" if labs else ""
                lines.append(f"* [{title_of(ROOT / 'lessons' / file)}]({file}){then}")
            lines.append("")
    return "\n".join(lines)


def _labs_behind(names: list[str], lesson: str) -> list[str]:
    behind = names[names.index(lesson) + 1 :]
    is_next = next((number for number, name in enumerate(behind) if not name.startswith("lab")), len(behind))
    return behind[:is_next]


def draw_map() -> None:
    """Each stage a row: its labs, and above them the lessons that lead into them. Arrows are the way."""
    graph, boxes, names, y = nx.DiGraph(), {}, [], 0.0
    nx.add_path(graph, way())
    for stage in stages():
        if not stage["lessons"] + stage["labs"]:
            continue
        columns, top = _columns(stage), y
        for row in filter(None, (stage["lessons"], stage["labs"])):
            boxes |= {name: (columns[name], y, *_box_of(stage, name)) for name in row}
            y -= 0.85
        names.append(((top + y + 0.85) / 2, f"{stage['id']}  {stage['title'].split(':')[0]}"))
        y -= 0.2
        nx.add_path(graph, [name for name in stage["labs"] if not _is_there(stage, name)])
    drawn, axes = figure(0.72 * -y)
    bare(axes)
    for middle, name in names:
        axes.text(-0.75, middle, name, ha="right", va="center", fontweight="bold")
    axes.set_xlim(-2.5, max(x for x, *_ in boxes.values()) + 0.6)
    axes.set_ylim(y + 0.5, 0.5)
    _draw_boxes(axes, boxes, graph)
    legend_below(axes, {_FILLS["lesson"]: "a lesson", _FILLS["lab"]: "a lab", _FILLS["planned"]: "not there yet"})
    labels = [f"{' '.join(label.split())}{' (planned)' * (kind == 'planned')}" for _, _, label, kind in boxes.values()]
    show_with_words(drawn, f"The map: {', '.join(labels)}. The way: {way_in_words()}")


def _columns(stage: dict[str, Any]) -> dict[str, float]:
    """Where each lesson and lab of a stage stands, from the left: what is there so that the way leads to the right."""
    on_way = [name for name in way() if name in stage["lessons"] + stage["labs"]]
    columns = dict.fromkeys(on_way[:1], 0.0)
    for before, name in pairwise(on_way):
        is_below_or_above = before.startswith("lab") != name.startswith("lab")
        columns[name] = columns[before] + (0.55 if is_below_or_above else 1.1)
    # Labs that are not there yet go on in their own row: below the lessons, if all labs are still to come.
    labs = [columns[name] for name in stage["labs"] if name in columns]
    first = max(labs) + 1.1 if labs else 0.55 if columns else 0.0
    planned = [name for name in stage["labs"] if name not in columns]
    return columns | {name: first + 1.1 * number for number, name in enumerate(planned)}


def _box_of(stage: dict[str, Any], name: str) -> tuple[str, str]:
    """(what it says, its kind)."""
    if name in stage["lessons"]:
        return spoken(name), "lesson"
    noun = name.partition("_")[2].replace("_", " ")
    label = "\n".join([spoken(name), *textwrap.wrap(noun, _LABEL_CHARS)])
    return label, "lab" if _is_there(stage, name) else "planned"


def _draw_boxes(axes: Axes, boxes: dict[str, tuple[float, float, str, str]], graph: "nx.DiGraph[str]") -> None:
    patches = {}
    for name, (x, y, label, kind) in boxes.items():
        box = {"boxstyle": "round,pad=0.38", "facecolor": _FILLS[kind], "edgecolor": "white"}
        colour = TEXT if kind == "planned" else "white"
        text = axes.text(x, y, label, ha="center", va="center", fontsize=9.5, bbox=box, color=colour)
        patches[name] = text.get_bbox_patch()
    centres = {name: box[:2] for name, box in boxes.items()}
    far = [edge for edge in graph.edges if centres[edge[0]][1] - centres[edge[1]][1] > _NEAR]
    near = nx.DiGraph([edge for edge in graph.edges if edge not in far])
    arrows = nx.draw_networkx_edges(near, centres, ax=axes, edge_color=FAINT, width=1.2, arrowsize=11, node_size=0)
    for arrow, (source, target) in zip(arrows, near.edges, strict=True):
        arrow.set_patchA(patches[source])
        arrow.set_patchB(patches[target])
        arrow.set_zorder(4)  # behind the boxes in time: only then are their edges known
    for source, target in far:
        _draw_around(axes, centres[source], centres[target])


def _draw_around(axes: Axes, source: tuple[float, float], target: tuple[float, float]) -> None:
    """To a stage further down: around what lies between, on the right, and in front of the row that it leads to."""
    (x, y), (to_x, to_y) = source, target
    right, above = x + 0.75, to_y + 0.36
    axes.plot([x + 0.36, right, right, to_x, to_x], [y, y, above, above, to_y + 0.3], color=FAINT, linewidth=1.2, zorder=1)
    axes.annotate("", (to_x, to_y + 0.13), (to_x, above), arrowprops={"arrowstyle": "-|>", "color": FAINT, "shrinkA": 0})


def progress() -> str:
    """How far each lab is, for Markdown: what `mq lab list` says, and what the last check or grade of the work came to.

    RAFTMQ_WORK: another folder than `work`. The notebook that everybody gets is made with an empty one.
    """
    command = [sys.executable, "-m", "mq.cli.main", "lab", "list", "-o", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    behind = {name.partition("_")[0]: spoken(before) for before, name in pairwise(way())}
    lines = ["| lab | | after | hours | your work | last result |", "|---|---|---|---|---|---|"]
    for lab in json.loads(done.stdout)["labs"]:
        is_started = lab["work"] != "not started" and (_work() / Path(lab["work"]).name).is_dir()
        work = f"`{lab['work']}`" if is_started else f"`.venv/bin/mq lab start {lab['lab']}`"
        after = behind.get(lab["lab"], "")
        lines.append(f"| **{lab['lab']}** | {lab['title']} | {after} | {lab['hours']} | {work} | {_result_of(lab)} |")
    return "\n".join(lines)


def _work() -> Path:
    return Path(os.environ.get("RAFTMQ_WORK", ROOT / "work"))


def _result_of(lab: dict[str, Any]) -> str:
    for file in sorted((_work() / "results").glob(f"{lab['lab']}_*/progress.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        return f"{found['points']} of {found['max_points']} points (`{found['by']}`, {found['at']})"
    return f"none yet, of {lab['points']} points"
