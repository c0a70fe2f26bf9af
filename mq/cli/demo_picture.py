"""The demo's picture: orders acknowledged and consumed over time, and the time that the broker was dead."""

from pathlib import Path

__all__ = ["draw_demo"]


def draw_demo(path: Path, acked: list[tuple[int, int]], consumed: list[tuple[int, int]], killed_ms: int, back_ms: int) -> None:
    """Write a PNG. Events are (wall ms, order number)."""
    import matplotlib  # noqa: PLC0415 - takes half a second

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    zero_ms = acked[0][0]
    figure, axes = plt.subplots(figsize=(9, 4.5), dpi=120)
    axes.axvspan(
        (killed_ms - zero_ms) / 1000, (back_ms - zero_ms) / 1000, color="#d62728", alpha=0.18, label="broker dead (SIGKILL)"
    )
    for events, label, colour, width in ((acked, "acknowledged", "#1f77b4", 4.0), (_first(consumed), "consumed", "#ff7f0e", 1.8)):
        axes.step(
            [(ms - zero_ms) / 1000 for ms, _ in events],
            range(1, len(events) + 1),
            where="post",
            label=label,
            color=colour,
            linewidth=width,
        )
    axes.set_xlabel("seconds since the first acknowledgement")
    axes.set_ylabel("orders")
    axes.set_ylim(bottom=0)
    axes.set_title(
        f"{len(acked)} orders acknowledged, {len(_first(consumed))} consumed, none lost"
        if _is_whole(acked, consumed)
        else "orders are missing"
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _first(events: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each order's first event only."""
    seen: dict[int, int] = {}
    for ms, number in events:
        seen.setdefault(number, ms)
    return sorted((ms, number) for number, ms in seen.items())


def _is_whole(acked: list[tuple[int, int]], consumed: list[tuple[int, int]]) -> bool:
    return {n for _, n in acked} <= {n for _, n in consumed}
