"""What a run is like. Each seed draws its own: more is found by turning the right knobs than by more faults.

So a seed has few kinds of faults, or many; batches of one entry, or whole logs in one request; disks that are fast or slow.
"""

from dataclasses import dataclass, field
from random import Random

from mq.raft.options import RaftOptions
from mq.sim.group.lane import Weather
from mq.sim.group.machine import HostOptions
from mq.sim.group.network import NetworkOptions
from mq.sim.group.workload import WorkloadOptions

__all__ = ["FAULTS", "GROUP_STEPS", "GroupOptions", "draw_options"]

FAULTS = (
    "kill", "power_loss", "blackout", "pause", "cut_one_way", "cut_pair", "isolate", "split", "hold", "slow_disk", "failing_sync",
    "full_disk", "drift", "storm", "kill_leader", "pause_leader", "isolate_leader", "hold_leader", "lone_append",
    "kill_after_append", "kill_after_vote", "campaign", "transfer", "change", "snapshot", "damage",
)  # fmt: skip
"""Of the nemesis in `mq.sim.group.faults`."""

GROUP_STEPS = 3000
"""Of a run at least."""

_CRASHES = ("kill", "power_loss", "blackout", "kill_leader", "kill_after_append", "kill_after_vote")
_CUTS = ("cut_one_way", "cut_pair", "isolate", "split", "isolate_leader", "lone_append")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOptions:
    """nodes: voters at first. spares: nodes that may join. steps, chaos_ms: at least so many, and so long, until all is healed.

    fault_every_ms: on average. wanted: what a run must have met, or it proves nothing.
    """

    nodes: int = 3
    spares: int = 0
    steps: int = GROUP_STEPS
    chaos_ms: int = 6_000
    fault_every_ms: int = 700
    faults: tuple[str, ...] = FAULTS[:-1]
    raft: RaftOptions = field(default_factory=RaftOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    host: HostOptions = field(default_factory=HostOptions)
    weather: Weather = field(default_factory=Weather)
    workload: WorkloadOptions = field(default_factory=WorkloadOptions)
    wanted: tuple[str, ...] = ("elections", "crashes", "cuts", "commits", "done", "reads")


def _draw_raft(rng: Random) -> RaftOptions:
    election_ticks = rng.choice((5, 10, 10, 20))
    entries_max, append_bytes_max = rng.choice(((1, 1 << 20), (2, 1 << 20), (8, 64), (1024, 8), (1024, 1 << 20)))
    # Many small requests on a network that overtakes itself are refused by the dozen, and all are sent again: so only a few.
    in_flight_max = rng.choice((1, 2, 8, 64) if (entries_max, append_bytes_max) == (1024, 1 << 20) else (1, 2, 8))
    return RaftOptions(
        election_ticks=election_ticks,
        heartbeat_ticks=rng.choice((1, 2, 2)),
        entries_max=entries_max,
        append_bytes_max=append_bytes_max,
        in_flight_max=in_flight_max,
        recent_bytes_max=rng.choice((1, 60, 8 << 20)),
        chunk_bytes_max=rng.choice((12, 50, 256 << 10)),
        learner_lag_max=rng.choice((0, 5, 1000, 1000)),
        has_pre_vote=rng.random() < 0.6,
        has_check_quorum=rng.random() < 0.7,
    )


def _draw_network(rng: Random) -> NetworkOptions:
    return NetworkOptions(
        delay_ms=rng.choice((1, 1, 5)),
        spread_ms=rng.choice((2, 10, 40)),
        loss_probability=rng.choice((0.0, 0.0, 0.02, 0.1, 0.25)),
        repeat_probability=rng.choice((0.0, 0.02, 0.2)),
        straggler_probability=rng.choice((0.0, 0.0, 0.02, 0.1)),
    )


def _draw_faults(rng: Random, spares: int) -> tuple[str, ...]:
    """Some of them, among them a crash and a cut. Damage and changes of members do not go together: too few would be left."""
    possible = [name for name in FAULTS if name != ("damage" if spares else "change")]
    share = rng.choice((0.25, 0.5, 0.8))
    chosen = {name for name in possible if rng.random() < share}
    chosen |= {rng.choice(_CRASHES), rng.choice(_CUTS)}
    weights = {"change": rng.choice((12, 30))} if spares else {}
    return tuple(name for name in FAULTS if name in chosen or name in weights for _ in range(weights.get(name, 1)))


def draw_options(seed: int, *, steps: int = GROUP_STEPS) -> GroupOptions:
    """Those of a seed."""
    rng = Random(f"options of {seed}")  # noqa: S311 - repeatable is what it has to be
    spares, raft = rng.choice((0, 0, 2)), _draw_raft(rng)
    return GroupOptions(
        nodes=rng.choice((3, 3, 5)),
        spares=spares,
        steps=steps,
        chaos_ms=12 * raft.election_ticks * HostOptions().tick_ms,
        fault_every_ms=rng.choice((30, 60, 120)) * raft.election_ticks,
        faults=_draw_faults(rng, spares),
        raft=raft,
        network=_draw_network(rng),
        host=HostOptions(
            snapshot_every=rng.choice((0, 5, 20, 80)),
            kept_entries=rng.choice((0, 0, 3, 50)),
            apply_ms=rng.choice((0, 0, 1, 30)),
            read_ms=rng.choice((0, 1, 10)),
            state_words=rng.choice((1, 10, 30)),
        ),
        weather=Weather(sync_ms=rng.choice((0, 1, 5)), spread_ms=rng.choice((1, 5, 40))),
        workload=WorkloadOptions(
            clients=rng.choice((2, 3, 5)),
            think_ms=rng.choice((20, 60, 150)),
            batch_max=rng.choice((1, 1, 4)),
            read_probability=rng.choice((0.1, 0.3, 0.5)),
        ),
    )
