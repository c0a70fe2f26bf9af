"""The demo's pictures: orders over time with the moment of the kill, and the election as the brokers' traces tell it."""

from pathlib import Path
from typing import TYPE_CHECKING

from mq.cli.demo_record import Record, lost_of
from mq.cli.demo_show import DemoError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mq.sim.trace import Event

__all__ = ["draw_demo", "draw_election"]

_BEFORE_KILL_MS, _AFTER_KILL_MS = 500, 2000
_BEFORE_MS, _AFTER_MS = 4, 12


_COLOURS = ("#1f77b4", "#2ca02c")
"""Of the two groups."""


def draw_demo(path: Path, acked: list[Record], consumed: list[Record], killed_ms: int, killed: str) -> None:
    """Write a PNG. killed: the broker that was killed at `killed_ms`, by the wall clock."""
    import matplotlib  # noqa: PLC0415 - takes half a second

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    zero_ms = acked[0].wall_ms
    figure, (axes, near) = plt.subplots(1, 2, figsize=(12, 4.8), dpi=110, width_ratios=(5, 3))
    axes.axvline((killed_ms - zero_ms) / 1000, color="#d62728", linewidth=1.5, label=f"{killed}, the leader, killed (SIGKILL)")
    lines = [(acked, "acknowledged", "#9aa7b5", 5.0), (_first(consumed), "consumed", "#ff7f0e", 1.6)]
    lines += [(events, f"acknowledged by {group}", colour, 2.0) for group, events, colour in _by_group(acked)]
    for events, label, colour, width in lines:
        axes.step(
            [(record.wall_ms - zero_ms) / 1000 for record in events],
            range(1, len(events) + 1),
            where="post",
            label=label,
            color=colour,
            linewidth=width,
        )
    _draw_gap(near, acked, killed_ms)
    axes.set_xlabel("seconds since the first acknowledgement")
    axes.set_ylabel("orders")
    axes.set_ylim(bottom=0)
    axes.set_title(
        "orders are missing"
        if lost_of(acked, consumed)
        else f"{len(acked)} orders acknowledged, {len(_first(consumed))} consumed, none lost"
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _by_group(acked: list[Record]) -> list[tuple[str, list[Record], str]]:
    """What each group acknowledged, with the group's colour."""
    names = sorted({record.broker for record in acked})
    return [
        (name, [record for record in acked if record.broker == name], colour)
        for name, colour in zip(names, _COLOURS, strict=False)
    ]


def _draw_gap(near: "Axes", acked: list[Record], killed_ms: int) -> None:
    """The time around the kill, large: one group has a gap, the other one goes on."""
    for _, events, colour in _by_group(acked):
        points = [(event.wall_ms - killed_ms, n) for n, event in enumerate(events, 1)]
        points = [(at, n) for at, n in points if -_BEFORE_KILL_MS <= at <= _AFTER_KILL_MS]
        near.scatter([at for at, _ in points], [n for _, n in points], s=8, color=colour)
    near.axvline(0, color="#d62728", linewidth=1.5)
    near.set_xlim(-_BEFORE_KILL_MS, _AFTER_KILL_MS)
    near.set_xlabel("milliseconds since the kill")
    near.set_title("each acknowledgement around it, by group")
    near.grid(alpha=0.3)


def _first(consumed: list[Record]) -> list[Record]:
    """Each order's first delivery only."""
    seen: dict[int, Record] = {}
    for record in consumed:
        seen.setdefault(record.order, record)
    return sorted(seen.values())


def draw_election(path: Path, traces: Path, killed_ms: int, killed: str) -> Path:
    """Write a space-time picture: from just before the kill until the next leader has committed its first entries.

    traces: the folder of the brokers' traces. killed_ms: by their clock. Returns where the picture is.
    Raises: DemoError when the traces know of no next leader: there would be nothing to see.
    """
    from mq.chaos.merging import merge, read_events  # noqa: PLC0415 - not needed to refuse a wrong folder
    from mq.sim.spacetime import Window, draw_png  # noqa: PLC0415

    group, _, number = killed.rpartition("-")
    # Of this group alone, with what was done to it: nodes of the other one have the same numbers.
    files = [file for file in sorted(traces.glob("*.trace")) if file.name.startswith((f"{group}-", "zz-"))]
    merged = list(merge([read_events(file) for file in files]))
    leads = next((event for event in merged if event.at_ms >= killed_ms and _is_next_leader(event, f"n{number}")), None)
    if leads is None:
        raise DemoError(f"no trace in {traces} tells of another broker that led after {killed} was killed: no election to draw")
    # The brokers' clock counts from the machine's start; shorter numbers are read more easily.
    zero_ms = merged[0].at_ms
    events = [event._replace(at_ms=event.at_ms - zero_ms) for event in merged]
    killed_ms, leads_ms = killed_ms - zero_ms, leads.at_ms - zero_ms
    window = Window(from_ms=killed_ms - _BEFORE_MS, to_ms=leads_ms + _AFTER_MS, around_ms=leads_ms, last=60)
    title = f"{killed} (here n{number}) is killed, and another broker leads {leads_ms - killed_ms} ms later"
    draw_png(path, events, title, window)
    return path


def _is_next_leader(event: "Event", killed: str) -> bool:
    """Whether another node than the killed one says that it leads."""
    return event.name == "role" and event.text("role") == "leader" and event.node != killed
