"""Which faults, in which order, on whom: all of it from a seed. Nothing here happens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from random import Random

from mq.chaos.calm import CALM_AFTER_S

__all__ = ["WEIGHTS", "Fault", "faults"]

WEIGHTS: dict[str, int] = {
    "kill": 20,  # SIGKILL, and a start a moment later
    "pause": 14,  # SIGSTOP
    "restart": 12,  # SIGTERM and a start
    "isolate": 12,  # cut off from all others
    "cut": 8,  # two nodes do not hear each other
    "cut-one-way": 8,  # one does not hear the other
    "double-kill": 5,  # two nodes at once
    "rolling-restart": 3,  # all nodes, one after the other
    "disk-full": 6,
    "sync-error": 6,  # the process ends, and is started again
    "slow-disk": 5,
    "clock-jump": 6,  # of the wall clock
    "wiped-node": 4,  # killed, and its folder is gone
    "power-cut": 5,  # of all nodes at once: what is not synced is gone
    "lost-leader": 4,  # cut off from all others, and killed while it takes what it can; often its folder is gone, too
}
"""The kinds, by how often each comes."""

_DURATIONS_S = {
    "kill": (0.1, 2.0), "pause": (0.2, 3.0), "restart": (0.0, 1.0), "isolate": (0.8, 4.0), "cut": (0.5, 4.0),
    "cut-one-way": (0.5, 4.0), "double-kill": (0.1, 2.0), "rolling-restart": (0.2, 1.0), "disk-full": (0.5, 3.0),
    "sync-error": (0.1, 1.5), "slow-disk": (0.5, 3.0), "clock-jump": (0.0, 0.5), "wiped-node": (0.1, 1.0),
    "power-cut": (0.1, 1.0), "lost-leader": (0.3, 1.5),
}  # fmt: skip
_LEADER_SHARE = 0.6
_REST_S = (0.5, 3.0)
_LONG_REST_S = CALM_AFTER_S + 5.0
"""What is left of a fault goes on for longer than a usual rest: only in such a one it shows that nothing is refused."""
_LONG_REST_EVERY = 10
_SLOW_MS = (5, 200)
_JUMP_MS_MAX = 6 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """hits_leader: its victim is who leads then; else one of the others.

    pick: which of those that come into question, and in which order those that come with it. duration_s: until it is undone.
    rest_s: after that; long after every tenth one. amount: milliseconds of a slow disk or a clock jump.
    """

    kind: str
    hits_leader: bool
    pick: int
    duration_s: float
    rest_s: float
    amount: int = 0


def faults(seed: int, weights: Mapping[str, int] | None = None) -> Iterator[Fault]:
    """Without end. Equal seeds and weights give equal faults. Raises: ValueError for a kind that there is not."""
    weights = WEIGHTS if weights is None else weights
    unknown = sorted(set(weights) - set(WEIGHTS))
    if unknown or not any(weights.values()):
        raise ValueError(f"{', '.join(unknown) or 'nothing'}: the kinds of faults are {', '.join(WEIGHTS)}")
    rng = Random(f"faults {seed}")  # noqa: S311 - repeatable is what it has to be
    for number in count(1):
        kind = rng.choices(list(weights), list(weights.values()))[0]
        hits_leader, pick = rng.random() < _LEADER_SHARE, rng.randrange(1 << 16)
        duration_s, rest_s = rng.uniform(*_DURATIONS_S[kind]), rng.uniform(*_REST_S)
        if number % _LONG_REST_EVERY == 0:
            rest_s = _LONG_REST_S  # in place of the one that was drawn: what a seed gives later stays as it is
        slow_ms, jump_ms = rng.randint(*_SLOW_MS), rng.randint(-_JUMP_MS_MAX, _JUMP_MS_MAX)
        amount = {"slow-disk": slow_ms, "clock-jump": jump_ms}.get(kind, 0)
        yield Fault(kind, hits_leader, pick, duration_s, rest_s, amount)
