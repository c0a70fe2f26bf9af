"""For the lesson on crashes: what the disks of a group were doing, and a start that believes too much."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lessons.raft_runs import HandRun
from lessons.showing import COLOURS, FAINT, TEXT, bare, figure, legend_below, show_with_words
from mq.sim.trace import Event

__all__ = ["draw_disks", "take_for_torn"]


def take_for_torn(run: HandRun, node_id: int, last_index: int) -> None:
    """A start that takes damage for a torn end: it cuts the log behind that entry, and goes on. The node is down."""
    log = run.group.member(node_id).log
    log.is_damaged = False
    kept = log._now._replace(entries=log._now.entries[:last_index])  # noqa: SLF001 - no log can do this by itself
    log._now = log._durable = kept  # noqa: SLF001


def draw_disks(runs: Sequence[tuple[str, Iterable[Event], int]], until_ms: int) -> None:
    """One command's way, for several runs below each other: who writes when, and what travels meanwhile.

    runs: (caption, events, when the command was proposed). A bar: a write, from its begin until the disk says yes.
    """
    drawn, parts = figure(1.9 * len(runs) + 0.3, rows=len(runs), squeeze=False)
    words = []
    for axes, (caption, events, begin_ms) in zip(parts[:, 0], runs, strict=True):
        words += _draw_run(axes, caption, [event for event in events if begin_ms <= event.at_ms <= begin_ms + until_ms], begin_ms)
        axes.set_xlim(-0.12 * until_ms, until_ms)
    meaning = {COLOURS["waiting"]: "a write, until the disk says yes", COLOURS["safe"]: "committed, and the client is told"}
    legend_below(parts[-1, 0], meaning)
    show_with_words(drawn, "\n".join(words))


def _draw_run(axes: Axes, caption: str, events: Sequence[Event], begin_ms: int) -> list[str]:
    bare(axes)
    leader = next(event.node for event in events if event.name == "propose")
    nodes = [leader, *sorted({event.node for event in events if event.node not in {leader, "-"}})]
    rows = {node: -row for row, node in enumerate(nodes)}
    begun, sent, words = {}, {}, [f"{caption}:"]
    done_ms = next(event.at_ms for event in events if event.name == "done") - begin_ms
    for event in events:
        at_ms = event.at_ms - begin_ms
        if event.name == "append":
            begun[event.node] = at_ms
        elif event.name == "save" and event.node in begun:
            since_ms = begun.pop(event.node)
            axes.add_patch(Rectangle((since_ms, rows[event.node] - 0.16), at_ms - since_ms, 0.32, facecolor=COLOURS["waiting"]))
            words.append(f"  {event.node} writes from {since_ms} to {at_ms} ms")
        elif event.name == "send" and at_ms <= done_ms and event.details.get("terms") != "-":
            sent[event.text("id")] = (at_ms, rows[event.node])
        elif event.name == "receive" and event.text("id") in sent and at_ms <= done_ms:
            arrow = {"arrowstyle": "-|>", "color": TEXT, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (at_ms, rows[event.node]), sent[event.text("id")], arrowprops=arrow, zorder=3)
    axes.plot([done_ms], [rows[leader]], marker="D", color=COLOURS["safe"], markersize=9, zorder=5)
    axes.text(done_ms + 1.5, rows[leader], f"{done_ms} ms", va="center", fontweight="bold")
    words.append(f"  the client is told after {done_ms} ms")
    for node, y in rows.items():
        axes.axhline(y, color="#dde3e8", linewidth=1, zorder=0)
        axes.text(-1.5, y, f"{node}, leads" if node == leader else node, ha="right", va="center", color=TEXT)
    axes.set_ylim(-len(rows) + 0.5, 0.6)
    axes.set_title(caption, fontsize=11, color=TEXT)
    axes.axvline(0, color=FAINT, linewidth=1, linestyle=":")
    return words
