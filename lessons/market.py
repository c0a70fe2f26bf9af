"""A market day: customers come at their times, the shop passes their orders on to the bakery, and things happen to the bakery."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt

from lessons.bakery import set_mood
from lessons.programs import Program
from lessons.showing import COLOURS, FAINT, figure

__all__ = ["Asked", "Day", "draw_answers", "draw_baking", "market_day", "report"]

CUSTOMERS, EVERY_S = 140, 0.05
QUICK_MS, SLOW_MS = 10, 150
SLOW_S, KILLED_S, BACK_S = 1.5, 3.0, 4.0
"""Seconds after the market's opening at which the bakery becomes slow, is killed, and is started again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One customer. came_s, answered_s: seconds since the market opened. outcome: yes, no or unknown."""

    order: str
    came_s: float
    answered_s: float
    outcome: str


@dataclass
class Day:
    """baked: (seconds since the market opened, order); events: (seconds, what happened to the bakery)."""

    way: str
    asked: list[Asked] = field(default_factory=list)
    baked: list[tuple[float, str]] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)

    def of(self, outcome: str) -> list[Asked]:
        return [one for one in self.asked if one.outcome == outcome]

    @property
    def never_baked(self) -> list[Asked]:
        """Who was told yes, and never got a bread."""
        done = {order for _, order in self.baked}
        return [one for one in self.of("yes") if one.order not in done]


def market_day(way: str, send: Callable[[bytes], str], bakery: Program, folder: Path, *, patience_s: float = 30.0) -> Day:
    """Open the market. send: passes an order on and returns what the customer may be told: yes, no or unknown."""
    day, opened_ns = Day(way), time.time_ns()

    def now_s() -> float:
        return (time.time_ns() - opened_ns) / 1e9

    troubles = threading.Thread(target=_trouble, args=(day, bakery, folder, now_s))
    troubles.start()
    for number in range(CUSTOMERS):
        came_s = number * EVERY_S
        time.sleep(max(0.0, came_s - now_s()))
        order = f"{number:03d}"
        outcome = send(order.encode())
        day.asked.append(Asked(order, came_s, now_s(), outcome))
    troubles.join()
    _wait_for_the_last(day, folder / "book", patience_s)
    lines = (folder / "book").read_text().splitlines()
    day.baked = [((int(line.split()[0]) * 1_000_000 - opened_ns) / 1e9, line.split()[1]) for line in lines]
    return day


def _trouble(day: Day, bakery: Program, folder: Path, now_s: Callable[[], float]) -> None:
    """What happens to the bakery, at its times, whatever the shop is doing."""

    def at(second: float, what: str) -> None:
        time.sleep(max(0.0, second - now_s()))
        day.events.append((now_s(), what))

    at(SLOW_S, "slow")
    set_mood(folder, SLOW_MS)
    at(KILLED_S, "killed")
    bakery.kill()
    set_mood(folder, QUICK_MS)
    at(BACK_S, "started again")
    bakery.start()


def _wait_for_the_last(day: Day, book: Path, patience_s: float) -> None:
    """Until all that was promised is baked. What a socket lost lies nowhere any more: there it is a matter of seconds."""
    wanted = {one.order for one in day.of("yes")}
    end_s = time.monotonic() + (2.0 if day.way == "socket" else patience_s)
    while time.monotonic() < end_s and not wanted <= _orders(book):
        time.sleep(0.05)


def _orders(book: Path) -> set[str]:
    return {line.split()[1] for line in book.read_text().splitlines()}


def _mark_events(axes: plt.Axes, day: Day, top: float) -> None:
    for at_s, what in day.events:
        axes.axvline(at_s, color=FAINT, linewidth=1, linestyle=":")
        axes.text(at_s, top, f" {what}", fontsize=9, color=FAINT, va="bottom", ha="left")


def draw_answers(day: Day) -> None:
    """How long each customer waited, and for what."""
    _, axes = figure(2.7)
    broken = set(map(id, day.never_baked))
    groups = (
        ("yes, and baked", COLOURS["safe"], [one for one in day.of("yes") if id(one) not in broken]),
        ("yes, and never baked", COLOURS["torn"], day.never_baked),
        ("“sorry, no”", COLOURS["waiting"], day.of("no")),
        ("“we do not know”", COLOURS["damaged"], day.of("unknown")),
    )
    for label, colour, found in groups:
        waited = [max(1000 * (one.answered_s - one.came_s), 0.05) for one in found]
        if found:
            axes.scatter([one.came_s for one in found], waited, s=16, color=colour, label=f"{label}: {len(found)}")
    axes.set_yscale("log")
    axes.set_ylim(0.03, 20_000)
    axes.set_yticks([0.1, 1, 10, 100, 1000], ["0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s"])
    axes.set_ylabel("waited for\nan answer")
    axes.set_xlabel("seconds since the market opened, when the customer came")
    axes.set_title(f"{day.way}: the customers")
    axes.grid(visible=True, axis="y")
    _mark_events(axes, day, 6000)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 0.9), fontsize=10, handletextpad=0.2)
    plt.show()


def draw_baking(days: list[Day]) -> None:
    """What was promised, and what was baked, as time goes on."""
    _, parts = figure(2.6, columns=len(days), sharey=True, sharex=True)
    for axes, day in zip(parts, days, strict=True):
        yes = sorted(one.answered_s for one in day.of("yes"))
        baked = sorted(at_s for at_s, _ in day.baked)
        axes.step(yes, range(1, len(yes) + 1), color=COLOURS["waiting"], linewidth=2, where="post", label="promised")
        axes.step(baked, range(1, len(baked) + 1), color=COLOURS["safe"], linewidth=2, where="post", label="baked")
        for at_s, _ in day.events:
            axes.axvline(at_s, color=FAINT, linewidth=1, linestyle=":")
        axes.set_title(day.way)
        axes.set_xlabel("seconds")
    parts[0].set_ylabel("orders")
    parts[1].legend(frameon=False, loc="upper right", fontsize=10)
    plt.show()


def report(days: list[Day]) -> None:
    """The same in numbers."""
    print(f"{'':10}{'yes':>6}{'no':>6}{'unknown':>9}{'promised, never baked':>24}{'baked twice':>13}{'longest wait':>15}")
    for day in days:
        twice = len(day.baked) - len({order for _, order in day.baked})
        longest = max(one.answered_s - one.came_s for one in day.asked)
        counts = f"{len(day.of('yes')):>6}{len(day.of('no')):>6}{len(day.of('unknown')):>9}"
        print(f"{day.way:10}{counts}{len(day.never_baked):>24}{twice:>13}{longest * 1000:>12.0f} ms")
