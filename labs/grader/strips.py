"""What is on a disk, in a few lines of text: each segment a strip, each record a box.

    0.log   |H|[1·0 2·0]|(3·0)|~~312 torn~~|          1024 bytes

`[...]` is durable, `(...)` is written and not synced, `~~` is torn, `xx` is damaged. Of a log with a format of its own nothing is
known but its size.
"""

from labs.grader.result import Failure
from mq.sim.disk import SimDisk
from mq.sim.disk_layout import Box, Condition, SegmentLayout, layout_of

__all__ = ["IN_PICTURES", "legend", "picture_of", "strips_of"]

_SEGMENTS_MAX = 3
IN_PICTURES = (
    "A group's last boxes may be no entries: `term t` is the hard state, and an index·term below all others is the entry that the"
    " group stands behind."
)
"""What the legend of a picture does not say."""
_GROUPS_MAX, _BOXES_MAX = 60, 1000
"""Of a strip, and of a picture: far more than a test's disk has, and few enough to be drawn in a second."""


def strips_of(disk: SimDisk) -> list[str]:
    """One line for each of the newest segments."""
    layouts = layout_of(disk)
    lines = [_strip(layout) for layout in layouts[-_SEGMENTS_MAX:]]
    if len(layouts) > _SEGMENTS_MAX:
        lines.insert(0, f"({len(layouts) - _SEGMENTS_MAX} older segment(s) are not shown)")
    return lines or ["no segment"]


def legend() -> str:
    """What the signs mean."""
    return (
        "[index·term] durable   (...) written, not synced   ~~ torn   xx damaged   H header   m mark   end: the segment ends\n"
        "  after index·term: no entry, but what the group stands behind   term: the hard state"
    )


def _strip(layout: SegmentLayout) -> str:
    name = layout.file.removeprefix("log/").lstrip("0")
    groups = _groups(layout.boxes)
    shown = "|".join(groups[:_GROUPS_MAX]) + ("|…" if len(groups) > _GROUPS_MAX else "")
    return f"{name if name != '.log' else '0.log':>10}  |{shown}|  {layout.size_bytes} bytes"


def _groups(boxes: tuple[Box, ...]) -> list[str]:
    found: list[list[Box]] = []
    for box in boxes:
        if box.kind in ("record", "state") and found:
            found[-1].append(box)
        else:
            found.append([box])
    return [_group(group) for group in found]


def _group(group: list[Box]) -> str:
    head = group[0]
    if head.kind == "rest":
        sign, word = ("xx", "damaged") if head.condition is Condition.DAMAGED else ("~~", "torn")
        return f"{sign}{head.size_bytes} {word}{sign}"
    if len(group) == 1:
        text = {"segment": "H", "mark": "m", "end": "end"}.get(head.kind, "")
        return text if head.condition is Condition.DURABLE else f"({text})"
    text = " ".join(_label(box) for box in group[1:])
    return f"[{text}]" if head.condition is Condition.DURABLE else f"({text})"


def _label(box: Box) -> str:
    """What a group says that it stands behind looks like an entry, and is none."""
    return f"after {box.label}" if box.kind == "state" and "·" in box.label else box.label


def picture_of(failure: Failure) -> bytes:
    """The failure's disks as a PNG; nothing without disks, or without matplotlib (the extra `lessons` or `demo`)."""
    boxes = sum(len(layout.boxes) for _, disk in failure.disks for layout in layout_of(disk))
    if not failure.disks or boxes > _BOXES_MAX:
        return b""
    try:
        import matplotlib as _  # noqa: PLC0415, F401 - an optional library, which `draw_disks` needs
    except ImportError:
        return b""
    import tempfile  # noqa: PLC0415 - for pictures only
    from pathlib import Path  # noqa: PLC0415

    from mq.sim.draw import draw_disks  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="mq-lab-") as folder:
        file = Path(folder) / "disks.png"
        draw_disks(file, failure.disks, failure.promise)
        return file.read_bytes()
