"""How the lessons draw: one style, few colours, wide enough to be read in a notebook."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

__all__ = [
    "COLOURS", "FAINT", "FREE", "TEXT", "bare", "byte_rows", "field_rows", "figure", "legend_below", "printable", "scratch",
    "show_with_words", "strip",
]  # fmt: skip

SAFE, WAITING, TORN, DAMAGED, GOOD, OTHER = "#2a7f9e", "#e9a13b", "#d1495b", "#5b2a86", "#4c956c", "#8d99ae"
COLOURS = {"safe": SAFE, "waiting": WAITING, "torn": TORN, "damaged": DAMAGED, "good": GOOD, "other": OTHER}
FREE, TEXT, FAINT = "#eef1f4", "#1d2a35", "#66727d"
ROOT = Path(__file__).resolve().parent.parent
_WIDTH = 9.0


def figure(height: float, rows: int = 1, columns: int = 1, **more: Any) -> tuple[Any, Any]:
    """A figure as wide as a notebook, and its axes. height: in inches."""
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": FAINT,
            "text.color": TEXT,
            "axes.labelcolor": TEXT,
            "xtick.color": FAINT,
            "ytick.color": FAINT,
            "axes.axisbelow": True,
            "grid.color": "#dde3e8",
        }
    )
    return plt.subplots(rows, columns, figsize=(_WIDTH, height), layout="constrained", **more)


def bare(axes: Axes) -> None:
    """Take away spines and ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def legend_below(axes: Axes, labels: dict[str, str], columns: int = 4) -> None:
    """A legend under the axes. labels: what a colour means, by colour."""
    handles = [Patch(facecolor=colour, label=label) for colour, label in labels.items()]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, frameon=False, fontsize=10)


def printable(byte: int) -> str:
    """A byte as one character; a middle dot for zero, an arrow for the end of a line."""
    if byte == 0:
        return "·"
    return "↵" if byte == ord("\n") else chr(byte) if 32 <= byte < 127 else "▪"


def byte_rows(axes: Axes, rows: Sequence[tuple[str, bytes, str]], *, columns: int, title: str = "", fontsize: float = 10) -> None:
    """Each row a label and bytes, each byte a cell. rows: (label, bytes, colour); cells beyond the bytes stay free."""
    bare(axes)
    axes.set_title(title)
    axes.set_xlim(-0.2, columns + 0.2)
    axes.set_ylim(-len(rows) + 0.95, 1.05)
    for number, (label, data, colour) in enumerate(rows):
        for column in range(columns):
            is_there = column < len(data)
            axes.add_patch(
                Rectangle(
                    (column, -number + 0.08), 1, 0.84, facecolor=colour if is_there else FREE, edgecolor="white", linewidth=1
                )
            )
            if is_there and fontsize:
                axes.text(column + 0.5, -number + 0.47, printable(data[column]), ha="center", va="center", color="white",
                          fontsize=fontsize, family="monospace")  # fmt: skip
        axes.text(-0.5, -number + 0.48, label, ha="right", va="center", fontsize=max(9, fontsize))


def field_rows(data: bytes, fields: Sequence[tuple[int, str, str]], *, at: int = 0, title: str = "") -> None:
    """Bytes in hexadecimal, one row for each field, with what it means. fields: (size in bytes, colour, meaning), in order."""
    widest = max(size for size, _, _ in fields)
    _, axes = figure(0.29 * len(fields) + 0.45)
    bare(axes)
    axes.set_title(title)
    axes.set_xlim(-1.4, widest + 13)
    axes.set_ylim(-len(fields) + 0.98, 1.02)
    begin = 0
    for row, (size, colour, meaning) in enumerate(fields):
        axes.text(-0.3, -row + 0.47, str(at + begin), ha="right", va="center", fontsize=10, color=FAINT)
        for column, byte in enumerate(data[begin : begin + size]):
            axes.add_patch(Rectangle((column, -row + 0.06), 1, 0.88, facecolor=colour, edgecolor="white", linewidth=0.8))
            axes.text(
                column + 0.5, -row + 0.47, f"{byte:02x}", ha="center", va="center", fontsize=10, family="monospace", color="white"
            )
        axes.text(size + 0.3, -row + 0.47, meaning, ha="left", va="center", fontsize=10.5)
        begin += size
    plt.show()


def strip(axes: Axes, colours: Sequence[str], bottom: float, height: float = 0.8) -> None:
    """A row of thin cells, one for each byte; neighbours of one colour are drawn in one piece."""
    begin = 0
    for at in range(1, len(colours) + 1):
        if at == len(colours) or colours[at] != colours[begin]:
            axes.add_patch(Rectangle((begin, bottom), at - begin, height, facecolor=colours[begin], edgecolor="none"))
            begin = at


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder on the real disk of this checkout, empty, and gone afterwards."""
    top = ROOT / ".mq" / "lessons"
    top.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=top))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show_with_words(drawn: Figure, words: str) -> None:
    """Show a figure, with what it says as text beside it: for those who cannot see it, and to compare it to the letter."""
    from IPython.core.pylabtools import print_figure  # only in a notebook
    from IPython.display import display

    display({"image/png": print_figure(drawn, base64=True), "text/plain": words}, raw=True)
    plt.close(drawn)
