"""How fast the deterministic world of a Raft group is: `nice .venv/bin/python -m bench.sim_speed`.

* events a second: seeds as `run.py sim --seeds` runs them, with all faults, all checkers and the trace on; an event is one thing
  that the world handles: a message, a tick, a sync that is done, a look of a client, a fault;
* cluster seconds a second: three nodes that do nothing but live, ticks of 50 ms and a heartbeat every second tick, also with all
  checkers and the trace on. One cluster second is one second of virtual time of the whole group.

Both are measured in seconds of one core's time (`time.process_time`), the best of some rounds: the machine is shared. The floors
are what the world promises.
"""

import gc
import sys
import time
from collections.abc import Callable

from mq.sim.group.options import GroupOptions
from mq.sim.group.seeds import calm_collector
from mq.sim.group.workload import WorkloadOptions
from mq.sim.group.world import GroupWorld

__all__ = ["CLUSTER_SECONDS_MIN", "EVENTS_MIN", "cluster_seconds_a_second", "events_a_second"]

EVENTS_MIN = 50_000
CLUSTER_SECONDS_MIN = 1_000


def _seconds(do: Callable[[], None]) -> float:
    gc.collect()
    begun = time.process_time()
    do()
    return time.process_time() - begun


def events_a_second(seeds: range) -> float:
    """Over all of these seeds together."""
    events = 0

    def run() -> None:
        nonlocal events
        for seed in seeds:
            world = GroupWorld(seed)
            world.run()
            events += world.agenda.steps

    return _rate(run, lambda: events)


def _rate(run: Callable[[], None], count: Callable[[], int]) -> float:
    seconds = _seconds(run)
    return count() / seconds


def cluster_seconds_a_second(seconds: int) -> float:
    """Of a quiet group of three."""
    quiet = GroupOptions(faults=(), workload=WorkloadOptions(clients=0))
    world = GroupWorld(1, quiet)

    def run() -> None:
        world.begin()
        world.agenda.run(seconds * 1000, 1 << 60)

    return _rate(run, lambda: world.agenda.now_ms) / 1000


def main() -> int:
    """Returns the exit status: 1 when a floor was missed."""
    calm_collector()
    events = max(events_a_second(range(first, first + 40)) for first in (1, 41, 81))
    quiet = max(cluster_seconds_a_second(600) for _ in range(5))
    sys.stdout.write(f"events a second, all faults, checkers and trace on     {events:>10,.0f}   (at least {EVENTS_MIN:,})\n")
    sys.stdout.write(
        f"cluster seconds a second, three quiet nodes            {quiet:>10,.0f}   (at least {CLUSTER_SECONDS_MIN:,})\n"
    )
    return 0 if events >= EVENTS_MIN and quiet >= CLUSTER_SECONDS_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
