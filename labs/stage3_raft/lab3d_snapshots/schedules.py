"""Ring 2 of lab 3d: groups through faults that are drawn by a seed, with all promises looked after at every step.

Snapshots are taken every few entries, nothing is kept behind them, and they are sent in small chunks: who was away for a moment
finds that what it lacks is in no log any more.
"""

from dataclasses import replace
from functools import partial
from random import Random

from labs.grader.seams import Make
from labs.stage3_raft.worlds import lab_options, world_case, world_check, world_of
from mq.sim.group.options import GroupOptions
from mq.sim.group.world import GroupWorld

__all__ = ["SCHEDULES", "SWEEP", "snapshot_options", "snapshot_world"]

_AWAY = ("isolate", "cut_pair", "power_loss", "kill")
"""Faults that every run has: they keep a node away for a while."""


def snapshot_options(seed: int) -> GroupOptions:
    """As for all labs of the Raft, with a snapshot every few entries, clients that mostly write, and nodes that are away."""
    drawn = lab_options(seed)
    rng = Random(f"snapshots of {seed}")
    raft = replace(drawn.raft, chunk_bytes_max=rng.choice((24, 50, 50)), recent_bytes_max=rng.choice((1, 60)))
    host = replace(drawn.host, snapshot_every=rng.choice((2, 2, 4)), kept_entries=0, state_words=rng.choice((2, 5, 10)))
    load = replace(drawn.workload, think_ms=80, read_probability=0.1)
    return replace(
        drawn, raft=raft, host=host, workload=load, faults=(*drawn.faults, *_AWAY), fault_every_ms=max(250, drawn.fault_every_ms)
    )


def snapshot_world(seed: int, make: Make) -> GroupWorld:
    """The run of a seed, with Rafts that `make` makes."""
    return world_of(seed, make, snapshot_options)


_world_case = partial(world_case, options=snapshot_options)


SCHEDULES = (
    world_check(
        "lab3d",
        "faults by a seed, and a snapshot every few entries",
        "Paper: Raft, section 7",
        _world_case,
        must_meet={"elections": 6, "crashes": 6, "commits": 60, "snapshots taken": 16},
    ),
)
SWEEP = SCHEDULES
