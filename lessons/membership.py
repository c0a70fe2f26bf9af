"""For the lesson on snapshots and members: what logs keep, how far they go, and whether majorities meet."""

from collections.abc import Sequence
from itertools import chain, combinations
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lessons.raft_runs import HandRun, TimedGroup
from lessons.showing import COLOURS, FREE, TEXT, bare, figure, show_with_words
from mq.core.entry import Entry, EntryKind
from mq.raft.configuration import Configuration
from mq.sim.spacetime.palette import term_colour

__all__ = ["draw_kept", "draw_lengths", "draw_overlaps", "lengths", "quorums"]

_CELL, _CELLS_MIN = 0.9, 6

# --- how much is kept


def lengths(group: TimedGroup, span_ms: int, every_ms: int = 100) -> list[tuple[int, int, int]]:
    """Let time pass, and look now and then at node 1: (when, entries that its log keeps, entries that there ever were)."""
    found = []
    for _ in range(span_ms // every_ms):
        group.pass_time(every_ms)
        log = group.host(1).log
        found.append((group.now_ms, log.last_index - log.first_index + 1, int(log.last_index)))
    return found


def draw_lengths(runs: Sequence[tuple[str, Sequence[tuple[int, int, int]]]]) -> None:
    """Entries that a log keeps, as time goes on."""
    drawn, axes = figure(2.5)
    words = []
    for (label, found), colour in zip(runs, (COLOURS["torn"], COLOURS["safe"]), strict=True):
        axes.plot([at_ms / 1000 for at_ms, *_ in found], [kept for _, kept, _ in found], color=colour, linewidth=2, label=label)
        words.append(f"{label}: {found[-1][1]} of {found[-1][2]} entries are kept at the end, {max(f[1] for f in found)} at most")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds of virtual time")
    axes.set_ylabel("entries in the log")
    axes.set_title("What node 1 keeps")
    axes.grid(visible=True)
    axes.legend(frameon=False, loc="upper left")
    show_with_words(drawn, "\n".join(words))


def draw_kept(moments: Sequence[tuple[str, HandRun | Sequence[Any]]]) -> None:
    """Logs at several moments, one below the other; where a snapshot took the place of entries, it is drawn for them."""
    rows = [(caption, _kept_of(found)) for caption, found in moments]
    drawn, parts = figure(sum(0.36 * len(kept) + 0.45 for _, kept in rows), rows=len(rows), squeeze=False)
    width = max(last for _, kept in rows for *_, last in kept)
    for axes, (caption, kept) in zip(parts[:, 0], rows, strict=True):
        _draw_kept(axes, caption, kept, width)
    words = [f"{caption}: " + "; ".join(_kept_words(one) for one in kept) for caption, kept in rows]
    show_with_words(drawn, "\n".join(words))


def _kept_of(found: HandRun | Sequence[Any]) -> Sequence[Any]:
    """Of each node (name, up to where a snapshot stands, entries as (index, term, text), index of the last)."""
    if not isinstance(found, HandRun):
        return found
    kept = []
    for member in found.group.members.values():
        log = member.log
        entries = [(entry.index, entry.term, _text_of(entry)) for entry in log.entries(1, log.last_index)]
        kept.append((f"n{member.node_id}", log.first_index - 1, entries, int(log.last_index)))
    return kept


def _text_of(entry: Entry) -> str:
    texts = {EntryKind.CONFIGURATION: "members", EntryKind.COMMAND: entry.payload.decode()}
    return texts.get(entry.kind, "no-op")


def _kept_words(one: Any) -> str:
    name, snapshot, entries, last = one
    return f"{name} {f'has a snapshot up to {snapshot}, ' if snapshot else ''}keeps {len(entries)} entries, up to {last}"


def _draw_kept(axes: Axes, caption: str, kept: Sequence[Any], width: int) -> None:
    bare(axes)
    axes.set_xlim(-1.2, max(width, _CELLS_MIN) + 0.1)
    axes.set_ylim(-len(kept) + 0.95, 1.1)
    axes.set_title(caption, fontsize=10.5)
    for number, (name, snapshot, entries, last) in enumerate(kept):
        axes.text(-0.15, -number + 0.45, name, ha="right", va="center")
        if snapshot:
            style = {"facecolor": COLOURS["good"], "edgecolor": TEXT, "linewidth": 0.8}
            axes.add_patch(Rectangle((0.05, -number), snapshot - 0.1, _CELL, **style))
            label = f"snapshot, 1 to {snapshot}" if snapshot > 1 else "snapshot"
            axes.text(snapshot / 2, -number + 0.45, label, ha="center", va="center", color="white", fontsize=9.5)
        for index, term, text in entries:
            style = {"facecolor": term_colour(term), "edgecolor": TEXT, "linewidth": 0.8}
            axes.add_patch(Rectangle((index - 0.95, -number), _CELL, _CELL, **style))
            axes.text(index - 0.5, -number + 0.45, text, ha="center", va="center", fontsize=9.5)
        for place in range(last, max(width, _CELLS_MIN)):
            axes.add_patch(Rectangle((place + 0.05, -number), _CELL, _CELL, facecolor="white", edgecolor=FREE))


# --- majorities


def quorums(configuration: Configuration) -> list[tuple[int, ...]]:
    """The smallest sets of nodes that decide, by `Configuration.has_quorum` itself."""
    members = configuration.members
    deciding: list[tuple[int, ...]] = []
    for some in chain.from_iterable(combinations(members, count) for count in range(1, len(members) + 1)):
        if configuration.has_quorum(set(some).__contains__) and not any(set(less) <= set(some) for less in deciding):
            deciding.append(some)
    return deciding


def draw_overlaps(pairs: Sequence[tuple[str, Configuration, str, Configuration]]) -> None:
    """For two configurations each pair of quorums: a cell is red where the two have no node in common."""
    drawn, parts = figure(3.1, columns=len(pairs), squeeze=False)
    words = []
    for axes, (name, one, other_name, other) in zip(parts[0], pairs, strict=True):
        rows, columns = quorums(one), quorums(other)
        apart = [(row, column) for row in rows for column in columns if not set(row) & set(column)]
        for y, row in enumerate(rows):
            for x, column in enumerate(columns):
                colour = COLOURS["torn"] if (row, column) in apart else COLOURS["safe"]
                axes.add_patch(Rectangle((x + 0.06, y + 0.06), 0.88, 0.88, facecolor=colour, edgecolor="none"))
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.set_xticks([x + 0.5 for x in range(len(columns))], [_named(column) for column in columns], rotation=90, fontsize=9)
        axes.set_yticks([y + 0.5 for y in range(len(rows))], [_named(row) for row in rows], fontsize=9)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlabel(other_name, color=TEXT)
        axes.set_ylabel(name, color=TEXT)
        axes.set_title(f"{len(apart)} of {len(rows) * len(columns)} pairs do not meet", fontsize=10.5)
        words.append(f"{name} and {other_name}: {len(apart)} of {len(rows) * len(columns)} pairs of quorums do not meet")
    colours = ((COLOURS["safe"], "have a node in common"), (COLOURS["torn"], "have none"))
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, label=label) for colour, label in colours]
    drawn.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=10)
    show_with_words(drawn, "\n".join(words))


def _named(nodes: Sequence[int]) -> str:
    return " ".join(map(str, nodes))
