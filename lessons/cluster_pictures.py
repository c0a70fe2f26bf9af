"""How a day of a cluster is drawn, while it goes on and when it is over: orders above, and below a lane for each broker."""

import secrets
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from lessons.cluster_day import Day
from lessons.cluster_roles import DEAD, Role
from lessons.showing import COLOURS, FAINT, TEXT, figure
from mq.cli.demo_picture import draw_election
from mq.sim.spacetime.palette import role_colours

__all__ = ["Live", "draw_day", "show_election"]

_BAR_CHARS = 32
_LEADS, _FOLLOWS, _ASKS, _DOWN = COLOURS["safe"], "#c9d3da", COLOURS["waiting"], "#ffffff"
_ASKS_FIRST = role_colours("pre-candidate")[0]
_FILLS = {"leader": _LEADS, "follower": _FOLLOWS, "pre-candidate": _ASKS_FIRST, DEAD: _DOWN}
_BEGINS = {"stands still": "still", "cut off": "cut"}
_ENDS = {"goes on": "still", "all hear all": "cut"}
_WIDTH_MAX = 1000
"""Of a picture in pixels; a notebook has no room for more."""
_MOMENT = 0.02
"""Of the day's length: what is done within it is told as one."""
_TERM_S_MIN = 0.08
"""Of the day's length: the least that has room for its term."""


def draw_day(day: Day, seconds: float) -> Any:
    """The figure. seconds: how long the day is meant to be."""
    until_s = max(seconds, day.now_s if day.ended_s is None else day.ended_s)
    drawn, (orders, lanes) = figure(3.5, rows=2, sharex=True, gridspec_kw={"height_ratios": [2, 1.15]})
    _draw_orders(orders, day, until_s)
    _draw_lanes(lanes, day, until_s)
    return drawn


def _draw_orders(axes: Axes, day: Day, until_s: float) -> None:
    lines = ((day.sent, "acknowledged", COLOURS["waiting"], 4.5), (day.consumed, "consumed", COLOURS["good"], 1.8))
    most = 10
    for notes, label, colour, width in lines:
        times = sorted(note.at_s for note in notes if note.outcome == "done")
        axes.step(times, range(1, len(times) + 1), where="post", color=colour, linewidth=width, label=label)
        most = max(most, len(times))
    failed = [note.at_s for note in day.sent if note.outcome != "done"]
    if failed:
        heights = [sum(note.outcome == "done" and note.at_s < at_s for note in day.sent) for at_s in failed]
        axes.scatter(failed, heights, color=COLOURS["torn"], s=18, zorder=5, label="an error")
    axes.set_xlim(0, until_s)
    axes.set_ylim(0, most * 1.08)
    axes.set_ylabel("orders")
    axes.set_title(day.title, pad=20)
    axes.grid(visible=True)
    axes.legend(frameon=False, loc="upper left", fontsize=10)
    told: list[tuple[float, str]] = []
    for at_s, what in day.events:
        axes.axvline(at_s, color=TEXT, linewidth=1, linestyle=":")
        if told and at_s - told[-1][0] < _MOMENT * until_s:
            at_s, what = told[-1][0], f"{told.pop()[1]}, {what}"  # noqa: PLW2901  # one above the other nobody could read
        told.append((at_s, what))
    for at_s, what in told:
        axes.text(at_s, most * 1.1, what, fontsize=9, color=TEXT, ha="center", va="bottom")


def _draw_lanes(axes: Axes, day: Day, until_s: float) -> None:
    now_s = day.now_s if day.ended_s is None else day.ended_s
    names = day.brokers
    for row, (name, number) in enumerate(names.items()):
        for begin_s, end_s, role in day.roles.spans(number, day.moment_of(0.0), day.moment_of(now_s)):
            _draw_role(axes, (day.second_of(begin_s), end_s - begin_s), row, role, until_s)
        for begin_s, end_s, kind in troubles(day, name, now_s):
            _draw_trouble(axes, (begin_s, end_s), row, kind)
    axes.set_ylim(-len(names) + 0.45, 0.55)
    axes.set_yticks([-row for row in range(len(names))], list(names), color=TEXT)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("seconds")
    handles = [
        Patch(facecolor=_LEADS, label="leads"),
        Patch(facecolor=_FOLLOWS, label="follows"),
        Patch(facecolor=_ASKS_FIRST, label="pre-vote"),
        Patch(facecolor=_ASKS, label="campaigns"),
        Patch(facecolor=_DOWN, edgecolor=FAINT, label="dead"),
        Patch(facecolor=_FOLLOWS, edgecolor=TEXT, hatch="////", label="stands still"),
        Patch(facecolor="none", edgecolor=COLOURS["torn"], linewidth=2, label="cut off"),
    ]
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9.5)


def _draw_role(axes: Axes, span: tuple[float, float], row: int, role: Role, until_s: float) -> None:
    left, width = span
    line = {"edgecolor": FAINT, "linestyle": ":", "linewidth": 1} if role.role == DEAD else {"edgecolor": "none"}
    axes.add_patch(Rectangle((left, -row - 0.38), width, 0.76, facecolor=_FILLS.get(role.role, _ASKS), **line))
    if role.role == "leader" and width > _TERM_S_MIN * until_s:
        axes.text(left + 0.008 * until_s, -row, f"term {role.term}", ha="left", va="center", color="white", fontsize=9)


def _draw_trouble(axes: Axes, span: tuple[float, float], row: int, kind: str) -> None:
    place = ((span[0], -row - 0.38), span[1] - span[0], 0.76)
    if kind == "still":
        axes.add_patch(Rectangle(*place, facecolor="none", edgecolor=TEXT, hatch="////", linewidth=0))
    else:
        axes.add_patch(Rectangle(*place, facecolor="none", edgecolor=COLOURS["torn"], linewidth=2))


def troubles(day: Day, name: str, now_s: float) -> list[tuple[float, float, str]]:
    """What was done to a broker: (since, until, still or cut)."""
    open_since: dict[str, float] = {}
    found = []
    for at_s, what in day.events:
        if name not in what and "all" not in what.split():
            continue
        for words, kind in _BEGINS.items():
            if what.endswith(words):
                open_since[kind] = at_s
        for words, kind in _ENDS.items():
            if words in what and kind in open_since:
                found.append((open_since.pop(kind), at_s, kind))
    return found + [(since_s, now_s, kind) for kind, since_s in open_since.items()]


class Live:
    """Shows a day while it goes on: a bar, and the picture as far as it is known. seconds: how long the day will be."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._id, self._is_shown = seconds, secrets.token_hex(4), False

    def __call__(self, day: Day) -> None:
        """Show how far it is."""
        from IPython.core.pylabtools import print_figure
        from IPython.display import display, update_display

        drawn = draw_day(day, self._seconds)
        pictures = {"image/png": print_figure(drawn, base64=True), "text/plain": day.title}
        plt.close(drawn)
        for name, shown in (("bar", {"text/plain": self._bar(day)}), ("picture", pictures)):
            tell = update_display if self._is_shown else display
            tell(shown, raw=True, display_id=f"{self._id}-{name}")
        self._is_shown = True

    def _bar(self, day: Day) -> str:
        part = 1.0 if day.ended_s is not None else min(1.0, day.now_s / self._seconds)
        full = round(part * _BAR_CHARS)
        acknowledged = sum(note.outcome == "done" for note in day.sent)
        now_s = day.now_s if day.ended_s is None else day.ended_s
        bar = "█" * full + "░" * (_BAR_CHARS - full)
        return f"{bar} {now_s:4.1f} s   {acknowledged} acknowledged, {len(day.consumed)} consumed"


def show_election(day: Day, traces: Path, killed: str) -> None:
    """What the brokers wrote down from the moment on in which one was killed that led, until another one had committed something.

    Raises: mq.cli.demo_show.DemoError when none ever led.
    """
    from IPython.display import Image as Shown
    from IPython.display import display

    at_s = next(at_s for at_s, what in day.events if what == f"{killed} is killed")
    drawn = Image.open(draw_election(traces.parent / "election.png", traces, day.trace_ms_of(at_s), killed))
    data = BytesIO()
    drawn.resize((_WIDTH_MAX, drawn.height * _WIDTH_MAX // drawn.width), Image.Resampling.LANCZOS).save(data, "PNG")
    display(Shown(data.getvalue()))
