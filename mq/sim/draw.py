"""A drawing of what is on a disk and what is durable: each segment a strip, each record a box.

    python -m mq.sim.draw --seed 8142 --out loss.png

Three disks are drawn below each other: just before the power was lost, just after, and when the node had opened the
log again. Needs matplotlib (the extra `demo`).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mq.sim.disk import SECTOR_BYTES, SimDisk
from mq.sim.disk_layout import Box, Condition, SegmentLayout, layout_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

    from mq.sim.world import PowerLoss

__all__ = ["draw_disks", "draw_loss", "main"]

_SEGMENTS_MAX = 2
_COLOURS = {
    Condition.DURABLE: "#2a7f9e",
    Condition.UNSYNCED: "#e9a13b",
    Condition.TORN: "#d1495b",
    Condition.DAMAGED: "#5b2a86",
}
_HEADERS = {
    Condition.DURABLE: "#14495c",
    Condition.UNSYNCED: "#a8650f",
    Condition.TORN: "#8f2434",
    Condition.DAMAGED: "#38185a",
}
"""Darker, so that where a group begins is seen in what is durable, and in what is not."""
_HEADER_KINDS = ("segment", "group", "end")
_HATCHES = {Condition.TORN: "////", Condition.DAMAGED: "xxxx"}
_FREE, _LINE, _TEXT, _FAINT = "#eef1f4", "#ffffff", "#1d2a35", "#7a8894"
_STRIP, _PITCH = 0.62, 1.0
_CHAR_SHARE, _LINE_SHARE = 0.0082, 0.012
"""Width of one character, and height of a line, as shares of the drawing's width: what does not fit is left out."""


def draw_disks(path: Path, disks: Sequence[tuple[str, SimDisk]], title: str) -> None:
    """Write a PNG: one part for each (heading, disk), the newest segments of each."""
    import matplotlib  # noqa: PLC0415 - an optional library, and slow to load

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    layouts = [(heading, layout_of(disk)) for heading, disk in disks]
    shown = [(heading, segments[-_SEGMENTS_MAX:], len(segments)) for heading, segments in layouts]
    rows = [max(1, len(segments)) for _, segments, _ in shown]
    figure, parts = plt.subplots(
        len(shown), 1, figsize=(13, 1.45 + sum(0.95 * n + 0.75 for n in rows)), dpi=130, height_ratios=[n + 0.3 for n in rows],
        squeeze=False,
    )  # fmt: skip
    width = max((s.size_bytes for _, segments, _ in shown for s in segments), default=SECTOR_BYTES)
    for axes, (heading, segments, count) in zip(parts[:, 0], shown, strict=True):
        _draw_part(axes, heading, segments, count, width)
    parts[-1, 0].set_xlabel(f"byte in the segment (grid: sectors of {SECTOR_BYTES} bytes)", color=_FAINT, fontsize=9)
    figure.suptitle(title, x=0.012, y=0.992, ha="left", fontsize=14, fontweight="bold", color=_TEXT)
    figure.legend(
        handles=_legend(), loc="lower left", bbox_to_anchor=(0.008, 0.004), ncols=4, frameon=False, fontsize=9, labelcolor=_TEXT,
        columnspacing=1.8, handlelength=1.6,
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0.78 / figure.get_figheight(), 1, 1.0), h_pad=1.4)
    figure.savefig(path)
    plt.close(figure)


def _draw_part(axes: "Axes", heading: str, segments: Sequence[SegmentLayout], count: int, width: int) -> None:
    rows = max(1, len(segments))
    axes.set_xlim(-width * 0.004, width * 1.004)
    axes.set_ylim(-0.28, rows * _PITCH - 0.02)
    hidden = count - len(segments)
    older = f"   ({hidden} older {'segment is' if hidden == 1 else 'segments are'} not drawn)" if hidden else ""
    axes.set_title(heading + older, loc="left", fontsize=10.5, color=_TEXT, pad=4)
    axes.set_yticks([])
    axes.set_xticks(range(0, width + 1, SECTOR_BYTES))
    axes.tick_params(axis="x", labelsize=8, colors=_FAINT, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not segments:
        axes.text(0, 0.3, "no segment", color=_FAINT, fontsize=9)
    for number, segment in enumerate(segments):
        _draw_segment(axes, segment, (rows - 1 - number) * _PITCH, width)


def _draw_segment(axes: "Axes", segment: SegmentLayout, bottom: float, width: int) -> None:
    axes.add_patch(_rectangle(0, segment.size_bytes, bottom, _STRIP, {"facecolor": _FREE}))
    for at in range(SECTOR_BYTES, segment.size_bytes, SECTOR_BYTES):
        axes.plot([at, at], [bottom, bottom + _STRIP], color="#d5dbe1", linewidth=0.8, zorder=4 if at >= segment.end else 2)
    for box in segment.boxes:
        _draw_box(axes, box, bottom, width)
    for at, size_bytes in segment.unsynced:
        # A line below the strip: exactly the bytes that a power loss may take.
        axes.plot(
            [at, at + size_bytes],
            [bottom - 0.06] * 2,
            color=_COLOURS[Condition.UNSYNCED],
            linewidth=2.6,
            solid_capstyle="butt",
            zorder=4,
        )
    if segment.durable_end is not None:
        at = segment.durable_end
        axes.plot([at, at], [bottom - 0.1, bottom + _STRIP + 0.06], color=_TEXT, linewidth=1.6, zorder=6)
        axes.plot([at], [bottom + _STRIP + 0.07], marker="v", color=_TEXT, markersize=5.5, zorder=6)
    name = segment.file.removeprefix("log/").lstrip("0")
    label = f"segment …{name if name != '.log' else '0.log'}"
    axes.text(0, bottom + _STRIP + 0.07, label, fontsize=8, color=_FAINT, va="bottom")


def _draw_box(axes: "Axes", box: Box, bottom: float, width: int) -> None:
    colour = (_HEADERS if box.kind in _HEADER_KINDS else _COLOURS)[box.condition]
    is_rest = box.kind == "rest"
    style = {"facecolor": colour, "alpha": 0.72 if box.kind in ("record", "state") else 1.0, "hatch": _HATCHES.get(box.condition)}
    # A mark says nothing but how far everything is durable: it is drawn small.
    height = _STRIP / 2 if box.kind == "mark" else _STRIP
    axes.add_patch(_rectangle(box.at, box.size_bytes, bottom, height, style))
    names = {"segment": "H", "end": "end", "rest": "torn" if box.condition is Condition.TORN else "damaged"}
    label = names.get(box.kind, box.label)
    fits = (len(label) + 1) * _CHAR_SHARE * width <= box.size_bytes
    if not label or not (fits or (_LINE_SHARE * width <= box.size_bytes and not is_rest)):
        return
    background = {"facecolor": colour, "edgecolor": "none", "pad": 1.5} if is_rest else None
    axes.text(
        box.at + box.size_bytes / 2, bottom + _STRIP / 2, label, ha="center", va="center", color="white",
        fontsize=8 if fits else 7, rotation=0 if fits else 90, bbox=background, zorder=5,
        fontweight="bold" if is_rest else "normal",
    )  # fmt: skip


def _rectangle(at: int, size_bytes: int, bottom: float, height: float, style: Mapping[str, Any]) -> "Rectangle":
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - an optional library

    return Rectangle((at, bottom), size_bytes, height, edgecolor=_LINE, linewidth=0.9, zorder=3, **style)


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an optional library
    from matplotlib.patches import Patch  # noqa: PLC0415

    durable = _COLOURS[Condition.DURABLE]
    handles: list[Any] = [
        Patch(facecolor=colour, edgecolor="white", hatch=_HATCHES.get(condition), label=condition.value)
        for condition, colour in _COLOURS.items()
    ]
    handles += [
        Patch(facecolor=_HEADERS[Condition.DURABLE], label="darker: header of a group (of a segment: H)"),
        Patch(facecolor=durable, alpha=0.72, label="record: log index·term"),
        Patch(facecolor=_FREE, label="reserved, still zero"),
        Line2D([], [], color=durable, marker="s", markersize=6, linewidth=0, label="small: a mark of the durable end"),
        Line2D([], [], color=_TEXT, marker="v", linewidth=1.6, label="durable end that the log can prove"),
    ]
    return handles


def draw_loss(path: Path, seed: int, loss: "PowerLoss | None") -> bool:
    """Draw a power loss of a run; False, and nothing is written, when there was none that took a write."""
    if loss is None:
        return False
    parts = [("before: the moment at which the power is lost", loss.before), ("after: what the disk still holds", loss.after)]
    if loss.opened is not None:
        parts.append(("opened: the torn write is cut, the rest is durable", loss.opened))
    draw_disks(path, parts, f"A power loss at {loss.at_ms} ms, seed {seed}")
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one seed and draw its last power loss. Returns 0, or 1 when that seed lost no write."""
    from mq.sim.world import World  # noqa: PLC0415 - only for the command line

    parser = argparse.ArgumentParser(prog="python -m mq.sim.draw", description="Draw what a power loss left on a disk.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    options = parser.parse_args(arguments)
    world = World(options.seed)
    world.run()
    return 0 if draw_loss(options.out, world.seed, world.loss) else 1


if __name__ == "__main__":
    sys.exit(main())
