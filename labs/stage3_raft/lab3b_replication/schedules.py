"""Ring 2 of lab 3b: groups through faults that are drawn by a seed, with all promises looked after at every step.

The faults are those that part logs: leaders that reach nobody, or one follower, with what they appended; crashes behind an
append; messages that are lost, come twice or late. Windows and requests are small.
"""

from dataclasses import replace
from functools import partial

from labs.grader.seams import Make
from labs.stage3_raft.worlds import lab_options, world_case, world_check, world_of
from mq.sim.group.options import GroupOptions
from mq.sim.group.world import GroupWorld

__all__ = ["SCHEDULES", "SWEEP", "replication_options", "replication_world"]

_PARTING = ("lone_append", "lone_append", "kill_after_append", "isolate_leader", "hold_leader", "power_loss")


def replication_options(seed: int) -> GroupOptions:
    """As for all labs of the Raft, with more that parts logs, and clients that mostly write."""
    drawn = lab_options(seed)
    raft, network, load = drawn.raft, drawn.network, drawn.workload
    return replace(
        drawn,
        raft=replace(raft, entries_max=min(8, raft.entries_max), in_flight_max=min(4, raft.in_flight_max)),
        workload=replace(load, read_probability=min(0.1, load.read_probability)),
        network=replace(network, repeat_probability=max(0.02, network.repeat_probability)),
        faults=(*dict.fromkeys(drawn.faults), *_PARTING),  # changes of members are drawn dozens of times otherwise
    )


def replication_world(seed: int, make: Make) -> GroupWorld:
    """The run of a seed, with Rafts that `make` makes."""
    return world_of(seed, make, replication_options)


_case = partial(world_case, options=replication_options)


SCHEDULES = (
    world_check(
        "lab3b",
        "faults by a seed that part logs",
        "Paper: Raft, section 5.3",
        _case,
        must_meet={"elections": 8, "crashes": 6, "cuts": 10, "commits": 60},
    ),
)
SWEEP = SCHEDULES
