"""What the Raft core and its world cost of one core, beside what empty events and bare entries cost in the same round."""

import time
from collections.abc import Callable
from statistics import median

from bench.figures import Setup, progress
from bench.raft_decide import decide_us
from bench.sim_speed import CLUSTER_SECONDS_MIN, EVENTS_MIN, cluster_seconds_a_second, events_a_second
from bench.table import Bar, Row
from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.sim.group.agenda import Agenda
from mq.sim.group.light_log import LightLog, LightMedium
from mq.sim.group.seeds import calm_collector

__all__ = ["raft"]

_DECIDE_US_MAX = 100
_BATCH, _BODY_BYTES = 64, 256
_SEEDS, _QUIET_SECONDS, _DECISIONS, _EMPTY_EVENTS = 40, 300, 400, 300_000


def empty_events_a_second(count: int = _EMPTY_EVENTS) -> float:
    """Put down, taken up and called, and nothing done in them."""
    agenda = Agenda()

    def nothing(_: object, __: object) -> None:
        if agenda.steps + len(agenda.heap) <= count:
            agenda.at(agenda.now_ms + 3, nothing)

    for at_ms in range(30):
        agenda.at(at_ms, nothing)
    begun = time.process_time()
    agenda.run(1 << 60, count)
    return agenda.steps / (time.process_time() - begun)


def entries_us(rounds: int = _DECISIONS) -> float:
    """The batch's entries as objects, and nothing else: the median."""
    spans, body = [], b"x" * _BODY_BYTES
    for number in range(rounds):
        begun = time.perf_counter()
        _ = [Entry(LogIndex(number + i), Term(1), EntryKind.COMMAND, body) for i in range(_BATCH)]
        spans.append((time.perf_counter() - begun) * 1e6)
    return median(spans)


def raft(setup: Setup) -> list[Row]:
    """Speed of the world and of the core. Nothing of it touches a disk or a network."""
    calm_collector()
    found: dict[str, list[float]] = {}
    todo: dict[str, Callable[[int], float]] = {
        "empty": lambda _: empty_events_a_second(),
        "events": lambda number: events_a_second(range(_SEEDS * number + 1, _SEEDS * (number + 1) + 1)),
        "quiet": lambda _: cluster_seconds_a_second(_QUIET_SECONDS),
        "entries": lambda _: entries_us(),
        "light": lambda _: decide_us(LightLog(LightMedium()), _BATCH, _BODY_BYTES, _DECISIONS)[0],
        "broker": lambda _: decide_us(CommitLog(), _BATCH, _BODY_BYTES, _DECISIONS)[0],
    }
    for number in range(setup.rounds):
        for name, measure in todo.items():
            found.setdefault(name, []).append(measure(number))
        progress(f"  round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in found.items()))
    empty, entries = ("empty events", found["empty"]), ("the entries as objects", found["entries"])
    least, most = [Bar("value", "at least", EVENTS_MIN)], [Bar("value", "at most", _DECIDE_US_MAX)]
    quiet = [Bar("value", "at least", CLUSTER_SECONDS_MIN)]
    return [
        Row("simulated events, all faults, all checkers, trace", "1/s", found["events"], *empty, least),
        Row("cluster seconds a second, 3 quiet nodes", "s/s", found["quiet"], bars=quiet),
        Row("propose a batch of 64, log in memory", "us", found["light"], *entries, most),
        Row("propose a batch of 64, the broker's log plans too", "us", found["broker"], *entries),
    ]
