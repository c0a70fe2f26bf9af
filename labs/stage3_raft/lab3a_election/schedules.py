"""Ring 2 of lab 3a: groups through faults that are drawn by a seed, with all promises looked after at every step."""

from labs.stage3_raft.worlds import world_check

__all__ = ["SCHEDULES", "SWEEP"]


SCHEDULES = (
    world_check(
        "lab3a",
        "faults by a seed",
        "Paper: Raft, section 5",
        must_meet={"elections": 8, "crashes": 6, "cuts": 8, "commits": 60},
    ),
)
SWEEP = SCHEDULES
