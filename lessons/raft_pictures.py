"""Pictures of Raft groups for the lessons, each made from a run of the code (`lessons.raft_runs`), and each told as text, too.

space_time(run.events, "A title")                          lanes, messages, roles, logs: one picture for up to 120 moments
draw_logs([("before", rows), ("after", rows)])             logs as the paper draws them, beside each other
draw_reigns(group.events, group.now_ms, "A title")         who led which term, over time
draw_roles(counts)                                         the roles, from the table of `mq.raft.role`
draw_talk(["anna", "ben"], [Said(...), ...], "A title")    messages between any parties, which need not be nodes of Raft
"""

import base64
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image

from lessons.raft_runs import LogRow
from lessons.showing import FAINT, FREE, TEXT, bare, figure, show_with_words
from mq.raft.role import TRANSITIONS, Role
from mq.raft.role import Event as Happens
from mq.sim.spacetime import Broken, Window, draw_png
from mq.sim.spacetime.palette import FAULT, role_colours, term_colour
from mq.sim.trace import Event

__all__ = ["Said", "draw_logs", "draw_reigns", "draw_roles", "draw_talk", "log_panel", "space_time"]

_PIXELS = 1080
"""As wide as a notebook's page: what is wider is shrunk until nobody can read it."""
_COLOURS_MAX = 128

# --------------------------------------------------------------------------- space and time


def space_time(events: Iterable[Event], title: str = "", *, broken: str = "", **window: object) -> None:
    """Show a part of a trace, time downwards. broken: the promise that broke at its end; the last card is framed.

    window: see `mq.sim.spacetime.Window` (`from_ms`, `to_ms`, `last`, `nodes`, `has_heartbeats`, ...).
    """
    from IPython.display import display

    told = list(events)
    mark = Broken(broken, told[-1].at_ms) if broken else None
    with TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        draw_png(file, told, title, Window(**window), mark)  # type: ignore[arg-type]
        with Image.open(file) as drawn:
            height = round(drawn.height * _PIXELS / drawn.width)
            whole = drawn.convert("RGB").resize((_PIXELS, height), Image.Resampling.LANCZOS)
    # A quarter of the bytes, and nobody sees it; the other methods bring the colours of two terms together.
    small = whole.quantize(_COLOURS_MAX, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    picture = BytesIO()
    small.save(picture, "PNG", optimize=True)
    words = "\n".join([title or "A run", *_told(told, window.get("from_ms"), window.get("to_ms")), *([broken] if broken else [])])
    display({"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": words}, raw=True)


def _told(events: Sequence[Event], from_ms: object, to_ms: object) -> list[str]:
    """What happened, for those who cannot see it."""
    lines = []
    for event in events:
        if event.at_ms < (from_ms or 0) or event.at_ms > (to_ms or 1 << 60):
            continue
        match event.name:
            case "role" if event.text("role") != "follower":
                lines.append(f"{event.at_ms} ms: {event.node} is {event.text('role')} of term {event.text('term')}")
            case "vote":
                lines.append(f"{event.at_ms} ms: {event.node} votes for n{event.text('for')} in term {event.text('term')}")
            case "commit":
                lines.append(f"{event.at_ms} ms: {event.node} knows entries up to {event.text('index')} to be committed")
            case "kill" | "power-loss" | "start" if event.at_ms:
                lines.append(f"{event.at_ms} ms: {event.node} {'starts again' if event.name == 'start' else 'crashes'}")
            case "cut" | "mend":
                lines.append(f"{event.at_ms} ms: {event.name} {event.text('sender')} to {event.text('to')}")
    return lines


# --------------------------------------------------------------------------- logs

_CELL = 0.9


def log_panel(axes: Axes, rows: Sequence[LogRow], caption: str = "", *, columns: int = 0, is_named: bool = True) -> None:
    """Logs in one part of a figure: a cell for each entry, with its term in it; black below: known here to be committed.

    columns: cells of the widest log to come, so that parts beside each other have one scale.
    """
    bare(axes)
    width = max([columns, 1, *(len(row.entries) for row in rows)])
    axes.set_xlim(-0.1, width + 0.1)
    axes.set_ylim(-len(rows) + 0.55, 1.15)
    axes.set_title(caption, fontsize=10.5, fontweight="normal")
    for number, row in enumerate(rows):
        y = -number
        if is_named:
            fill, ink, _ = role_colours(row.role)
            box = {"boxstyle": "round,pad=0.25", "facecolor": fill, "edgecolor": FAULT if row.role == "down" else "none"}
            label = f"{row.name} {row.role}" + ("" if row.role == "down" else f" T{row.term}")
            axes.text(-0.2, y + 0.45, label, ha="right", va="center", fontsize=9, color=ink, bbox=box)
        for place, entry in enumerate(row.entries):
            _cell(axes, row, place, entry, y)
        for place in range(len(row.entries), width):
            axes.add_patch(Rectangle((place + 0.05, y), _CELL, _CELL, facecolor="white", edgecolor=FREE))
    for place in range(width):
        axes.text(place + 0.5, 0.98, str(place + 1), ha="center", va="bottom", fontsize=7.5, color=FAINT)


def _cell(axes: Axes, row: LogRow, place: int, entry: tuple[int, int, str], y: float) -> None:
    index, term, text = entry
    is_durable = index <= row.durable_index
    axes.add_patch(
        Rectangle(
            (place + 0.05, y),
            _CELL,
            _CELL,
            facecolor=term_colour(term),
            edgecolor=TEXT,
            linewidth=0.8,
            linestyle="-" if is_durable else ":",
        )
    )
    axes.text(place + 0.5, y + (0.6 if text else 0.47), str(term), ha="center", va="center", fontsize=10.5)
    if text:
        axes.text(place + 0.5, y + 0.24, text[:6], ha="center", va="center", fontsize=7.5, color=TEXT)
    if index <= row.commit_index:
        axes.add_patch(Rectangle((place + 0.05, y), _CELL, 0.1, facecolor=TEXT, edgecolor="none"))


def draw_logs(moments: Sequence[tuple[str, Sequence[LogRow]]], title: str = "", *, per_row: int = 2) -> None:
    """Logs at several moments, so many beside each other."""
    count = len(moments)
    per_row = min(per_row, count)
    lines = -(-count // per_row)
    height = sum(0.34 * max(len(rows) for _, rows in moments[at : at + per_row]) + 0.55 for at in range(0, count, per_row))
    drawn, axes = figure(height + (0.3 if title else 0.0), rows=lines, columns=per_row, squeeze=False)
    columns = max(len(row.entries) for _, rows in moments for row in rows)
    for part, (caption, rows) in zip(axes.flat, moments, strict=False):
        log_panel(part, rows, caption, columns=columns)
    for part in axes.flat[count:]:
        part.set_visible(False)
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    show_with_words(drawn, "\n".join([title, *(f"{caption}:\n{_log_words(rows)}" for caption, rows in moments)]).strip())


def _log_words(rows: Sequence[LogRow]) -> str:
    lines = []
    for row in rows:
        cells = " ".join(f"{term}{'|' if index == row.commit_index else ''}" for index, term, _ in row.entries)
        lines.append(f"  {row.name} {row.role} T{row.term}: {cells or 'empty'}")
    return "\n".join(lines)


# --------------------------------------------------------------------------- reigns


def draw_reigns(
    events: Iterable[Event], end_ms: int, title: str = "", *, begin_ms: int = 0, marks: Sequence[tuple[int, str]] = ()
) -> None:
    """Each node a lane, coloured by its role; the term stands where a node leads. marks: (when, what happened)."""
    spans = _spans(events, end_ms)
    drawn, axes = figure(0.42 * len(spans) + 1.15)
    words = [title]
    for number, (node, parts) in enumerate(sorted(spans.items())):
        for role, term, since_any_ms, until_any_ms in parts:
            since_ms, until_ms = max(since_any_ms, begin_ms), min(until_any_ms, end_ms)
            if until_ms > since_ms:
                _span(axes, -number, role, term, since_ms, until_ms, end_ms - begin_ms)
                if role not in {"follower", "pre-candidate"}:
                    words.append(f"{node} is {role}{'' if role == 'down' else f' of term {term}'}, {since_ms} to {until_ms} ms")
    for at_ms, text in marks:
        axes.axvline(at_ms, color=FAULT, linewidth=1.2, linestyle="--")
        axes.text(at_ms, 0.85, f" {text}", color=FAULT, fontsize=9.5, va="bottom", ha="left")
    axes.set_xlim(begin_ms, end_ms)
    axes.set_ylim(-len(spans) + 0.4, 1.5 if marks else 0.9)
    axes.set_yticks([-number for number in range(len(spans))], sorted(spans))
    axes.set_xlabel("milliseconds of virtual time")
    axes.set_title(title)
    has_slits = any(one[0] == other[0] != "down" for parts in spans.values() for one, other in pairwise(parts))
    _legend_of_roles(axes, {role for parts in spans.values() for role, *_ in parts}, has_slits=has_slits)
    show_with_words(drawn, "\n".join(words))


def _spans(events: Iterable[Event], end_ms: int) -> dict[str, list[tuple[str, int, int, int]]]:
    """Of each node (role, term, from, to)."""
    spans: dict[str, list[tuple[str, int, int, int]]] = {}
    now: dict[str, tuple[str, int, int]] = {}

    def turn(node: str, role: str, term: int, at_ms: int) -> None:
        before = now.get(node)
        if before is not None and before[:2] != (role, term):
            spans.setdefault(node, []).append((*before, at_ms))
        if before is None or before[:2] != (role, term):
            now[node] = (role, term, at_ms)

    for event in events:
        if event.name == "role":
            turn(event.node, event.text("role"), event.number("term"), event.at_ms)
        elif event.name == "start":
            turn(event.node, "follower", event.number("term"), event.at_ms)
        elif event.name in {"kill", "power-loss"}:
            turn(event.node, "down", now[event.node][1], event.at_ms)
    for node, (role, term, since_ms) in now.items():
        spans.setdefault(node, []).append((role, term, since_ms, end_ms))
    return spans


def _span(axes: Axes, y: float, role: str, term: int, since_ms: int, until_ms: int, whole_ms: int) -> None:
    fill, ink, _ = role_colours(role)
    height = 0.3 if role == "follower" else 0.62
    style = {"facecolor": fill, "edgecolor": "white" if role != "down" else FAULT, "linewidth": 0.6}
    axes.add_patch(Rectangle((since_ms, y - height / 2), until_ms - since_ms, height, **style))
    if role == "leader" and (until_ms - since_ms) > 0.04 * whole_ms:
        axes.text((since_ms + until_ms) / 2, y, f"term {term}" if until_ms - since_ms > 0.1 * whole_ms else str(term),
                  ha="center", va="center", color=ink, fontsize=9.5)  # fmt: skip


def _legend_of_roles(axes: Axes, roles: set[str], *, has_slits: bool) -> None:
    """has_slits: a role went on in another term, with a white slit between."""
    order = [role for role in ("follower", "pre-candidate", "candidate", "leader", "mute", "down") if role in roles]
    handles: list[Any] = [
        Rectangle((0, 0), 1, 1, facecolor=role_colours(role)[0], edgecolor=FAULT if role == "down" else "none") for role in order
    ]
    if has_slits:
        handles.append((handles[0], handles[0]))
        order.append("another term")
    beside = {tuple: HandlerTuple(ndivide=None, pad=0.15)}
    axes.legend(handles, order, handler_map=beside, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9.5)


# --------------------------------------------------------------------------- roles

_BEND, _LABEL_AT = 0.14, 0.4
"""Of two arrows between the same roles each has its label nearer to where it begins: so that they do not lie on each other."""
_PLACES = {Role.FOLLOWER: (0.0, 0.0), Role.PRE_CANDIDATE: (0.7, 1.0), Role.CANDIDATE: (2.2, 1.0), Role.LEADER: (2.9, 0.0)}


def draw_roles(counts: Mapping[tuple[Role, Happens], int] | None = None, title: str = "What turns one role into another") -> None:
    """The roles as a graph, made from `mq.raft.role.TRANSITIONS`, the table by which a node turns. (Without *mute*.)

    counts: how often each turn was taken in a run (`raft_runs.counting`); the others are drawn faint.
    """
    taken = Counter(counts or {})
    turns: dict[tuple[Role, Role], list[Happens]] = {}
    for (role, event), after in TRANSITIONS.items():
        if Role.MUTE not in {role, after}:
            turns.setdefault((role, after), []).append(event)
    events = [event for event in Happens if any(event in happens for happens in turns.values())]
    letters = {event: chr(ord("a") + number) for number, event in enumerate(events)}
    drawn, axes = figure(4.3)
    bare(axes)
    axes.set_xlim(-0.75, 6.0)
    axes.set_ylim(-0.62, 1.62)
    axes.set_title(title)
    patches = {role: _role_box(axes, role) for role in _PLACES}
    words = [title]
    for (source, target), happens in turns.items():
        is_taken = counts is None or any(taken[source, event] for event in happens)
        shown = [event for event in events if event in happens and (not is_taken or counts is None or taken[source, event])]
        label = ", ".join(letters[event] + (f" {taken[source, event]}x" if taken[source, event] else "") for event in shown)
        _turn_arrow(axes, patches, (source, target), label, is_taken=is_taken)
        said = (f"{event}{f' ({taken[source, event]} times)' if taken[source, event] else ''}" for event in happens)
        words.append(f"{source} to {target}: {'; '.join(said)}")
    _events_listed(axes, letters, {event for event in events if counts is None or any(taken[role, event] for role in Role)})
    show_with_words(drawn, "\n".join(words))


def _role_box(axes: Axes, role: Role) -> FancyBboxPatch:
    (x, y), (fill, ink, _) = _PLACES[role], role_colours(str(role))
    style = {"boxstyle": "round,pad=0.03", "facecolor": fill, "edgecolor": "white", "zorder": 3}
    box = axes.add_patch(FancyBboxPatch((x - 0.4, y - 0.12), 0.8, 0.24, **style))
    axes.text(x, y, str(role), ha="center", va="center", color=ink, fontsize=10.5, zorder=4)
    return box


def _turn_arrow(
    axes: Axes, patches: Mapping[Role, FancyBboxPatch], turn: tuple[Role, Role], label: str, *, is_taken: bool
) -> None:
    source, target = turn
    colour, ink = (TEXT, FAULT) if is_taken else ("#c9d1d8", FAINT)
    (x, y), (to_x, to_y) = _PLACES[source], _PLACES[target]
    if source is target:
        side = 1 if y > 0 else -1
        style = {"arrowstyle": "-|>", "color": colour, "connectionstyle": f"arc3,rad={-1.6 * side}", "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (x + 0.16, y + 0.15 * side), (x - 0.16, y + 0.15 * side), arrowprops=style, zorder=2)
        axes.text(x, y + 0.43 * side, label, ha="center", va="center", fontsize=9, color=ink)
        return
    edges = nx.draw_networkx_edges(
        nx.DiGraph([turn]), _PLACES, ax=axes, edge_color=colour, width=1.5 if is_taken else 1.0, arrowsize=13, node_size=0,
        connectionstyle=f"arc3,rad={_BEND}",
    )  # fmt: skip
    edges[0].set_patchA(patches[source])
    edges[0].set_patchB(patches[target])
    edges[0].set_zorder(2 if is_taken else 1)
    # A place on a bent arrow lies beside that on the straight one, in pixels; the two scales of the axes differ.
    (left, top), (right, bottom) = axes.transData.transform([(x, y), (to_x, to_y)])
    part = 0.5 if y == to_y else _LABEL_AT  # level ones lie apart, and are short
    aside = 2 * part * (1 - part) * _BEND
    place = (left + part * (right - left) + aside * (bottom - top), top + part * (bottom - top) - aside * (right - left))
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    at = axes.transData.inverted().transform(place)
    axes.text(*at, label, ha="center", va="center", fontsize=9, color=ink, bbox=box, zorder=3 if is_taken else 2)


def _events_listed(axes: Axes, letters: Mapping[Happens, str], shown: set[Happens]) -> None:
    y = 1.5
    for event, letter in letters.items():
        lines = textwrap.wrap(str(event), 44)
        axes.text(3.6, y, letter, fontsize=9.5, fontweight="bold", va="top", color=FAULT if event in shown else FAINT)
        axes.text(3.75, y, "\n".join(lines), fontsize=9.5, va="top", color=TEXT if event in shown else FAINT)
        y -= 0.105 * len(lines) + 0.05


# --------------------------------------------------------------------------- talk between any parties


class Said(NamedTuple):
    """A message, or with to == sender a note on somebody. sent, arrives: in steps; arrives None: it was lost.

    is_end: it was this party's last moment; what arrives later finds nobody.
    """

    sent: float
    sender: str
    to: str
    text: str
    arrives: float | None = None
    is_bad: bool = False
    is_end: bool = False


def draw_talk(parties: Sequence[str], said: Sequence[Said], title: str = "", *, step_inches: float = 0.33) -> None:
    """Each party a line from top to bottom, each message an arrow; one that is lost, or finds nobody, ends in a cross."""
    last = max(max(one.sent, one.arrives or 0.0) for one in said)
    drawn, axes = figure(step_inches * (last + 2) + 0.5)
    bare(axes)
    places = {name: float(number) for number, name in enumerate(parties)}
    axes.set_xlim(-0.55, len(parties) - 0.45)
    axes.set_ylim(last + 0.8, -1.0)
    axes.set_title(title)
    ends = {one.sender: one.sent for one in said if one.is_end}
    for name, x in places.items():
        axes.plot([x, x], [-0.3, ends.get(name, last + 0.6)], color="#c9d1d8", linewidth=5, zorder=1, solid_capstyle="butt")
        axes.text(x, -0.5, name, ha="center", va="bottom", fontweight="bold")
    for one in said:
        if one.sender == one.to:
            _say_of_oneself(axes, places, one)
        else:
            _say(axes, places, one, finds_nobody=_finds_nobody(one, ends))
    show_with_words(drawn, "\n".join([title, *(_said_words(one, ends) for one in said)]).strip())


def _finds_nobody(one: Said, ends: Mapping[str, float]) -> bool:
    return one.arrives is not None and one.to in ends and one.arrives > ends[one.to]


def _say_of_oneself(axes: Axes, places: Mapping[str, float], one: Said) -> None:
    """Outside, where the first and the last party have room: in the middle it would lie on what they say to each other."""
    x, is_bad = places[one.sender], one.is_bad or one.is_end
    fill, edge = ("#fdeceb", FAULT) if is_bad else ("white", FAINT)
    box = {"boxstyle": "round,pad=0.25", "facecolor": fill, "edgecolor": edge}
    side = -1 if x == min(places.values()) else 1 if x == max(places.values()) else 0
    align = {-1: "right", 0: "center", 1: "left"}[side]
    ink = FAULT if is_bad else TEXT
    axes.text(x + 0.03 * side, one.sent, one.text, ha=align, va="center", fontsize=9.5, color=ink, bbox=box, zorder=5)


def _say(axes: Axes, places: Mapping[str, float], one: Said, *, finds_nobody: bool) -> None:
    x, to_x = places[one.sender], places[one.to]
    colour = FAULT if one.is_bad else TEXT
    is_lost = one.arrives is None or finds_nobody
    end = (x + (to_x - x) * 0.55, one.sent + 0.45) if one.arrives is None else (to_x, one.arrives)
    style = {"arrowstyle": "-" if is_lost else "-|>", "color": FAULT if is_lost else colour, "shrinkA": 0, "shrinkB": 0,
             "linewidth": 1.3}  # fmt: skip
    axes.annotate("", end, (x, one.sent), arrowprops=style, zorder=3)
    if is_lost:
        axes.plot(*end, marker="x", color=FAULT, markersize=9, markeredgewidth=2, zorder=4)
    middle = (x + (end[0] - x) * 0.5, one.sent + (end[1] - one.sent) * 0.5)
    box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    axes.text(*middle, one.text, ha="center", va="center", fontsize=9.5, color=FAULT if is_lost else colour, bbox=box, zorder=4)


def _said_words(one: Said, ends: Mapping[str, float]) -> str:
    if one.sender == one.to:
        return f"{one.sent:g}: {one.sender}: {one.text}"
    fate = "lost" if one.arrives is None else f"arrives at {one.arrives:g}"
    fate += ", where nobody is any more" if _finds_nobody(one, ends) else ""
    return f"{one.sent:g}: {one.sender} to {one.to}: {one.text} ({fate})"
