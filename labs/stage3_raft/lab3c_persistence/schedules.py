"""Ring 2 of lab 3c: groups whose disks are slow, full or failing, and whose power fails; all promises at every step."""

from dataclasses import replace
from functools import partial
from random import Random

from labs.grader.seams import Make
from labs.stage3_raft.worlds import lab_options, world_case, world_check, world_of
from mq.sim.group.lane import Weather
from mq.sim.group.options import GroupOptions
from mq.sim.group.world import GroupWorld

__all__ = ["SCHEDULES", "SWEEP", "disk_options", "disk_world"]

_FAULTS = (
    "power_loss", "power_loss", "blackout", "kill", "kill_leader", "kill_after_append", "kill_after_vote", "slow_disk",
    "slow_disk", "full_disk", "full_disk", "full_disk", "failing_sync", "failing_sync", "failing_sync",
)  # fmt: skip
_COUNTED = {
    "losses of power": ("power_loss", "blackout"), "slow disks": ("slow_disk",), "full disks": ("full_disk",),
    "failed disks": ("failing_sync",),
}  # fmt: skip


def disk_options(seed: int) -> GroupOptions:
    """As the labs' worlds, with all that can befall a disk or a process besides what is drawn, and syncs that take their time."""
    drawn = lab_options(seed)
    rng = Random(f"disks of {seed}")
    return replace(
        drawn,
        faults=(*dict.fromkeys(drawn.faults), *_FAULTS),  # changes of members are drawn dozens of times otherwise
        fault_every_ms=max(100, drawn.fault_every_ms // 2),
        weather=Weather(sync_ms=rng.choice((1, 5, 20)), spread_ms=rng.choice((5, 20, 60))),
    )


def disk_world(seed: int, make: Make) -> GroupWorld:
    """The run of a seed, with Rafts that `make` makes."""
    return world_of(seed, make, disk_options)


def _counted(world: GroupWorld) -> dict[str, int]:
    did = world.nemesis.counts
    return {name: sum(did.get(fault, 0) for fault in faults) for name, faults in _COUNTED.items()}


_disk_case = partial(world_case, options=disk_options, also_met=_counted)


SCHEDULES = (
    world_check(
        "lab3c",
        "slow, full and failing disks, and losses of power",
        "Paper: Raft, figure 2",
        _disk_case,
        must_meet={"elections": 7, "crashes": 8, "commits": 40},
    ),
)
SWEEP = SCHEDULES
