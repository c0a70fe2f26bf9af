"""Ring 2: clients, time and snapshots by seed, everything checked after every step, and scripted ones that are always there."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1c_delivery.bench import Bench
from labs.stage1_single_node.lab1c_delivery.rules import rule
from labs.stage1_single_node.lab1c_delivery.scripts import SCRIPTS
from labs.stage1_single_node.lab1c_delivery.steps import (
    Ack,
    Change,
    Choose,
    Forget,
    GiveBack,
    Land,
    Later,
    Other,
    Receive,
    Renew,
    Reset,
    Snapshot,
    Step,
    Wait,
)

__all__ = ["SCHEDULES", "SWEEP", "drawn", "play"]

_STEPS = 26
_NOW_MS = 2_000_000_000_000
"""More than a clock of today says."""
_CASES = 18
_SWEEP = 16
_SPANS_MS = (2_000, 5_000, 10_000)
_WEIGHTS: dict[str, dict[str, int]] = {
    "2.1": {"receive": 7, "ack": 6, "stale ack": 3, "wait": 3, "deadline": 4, "snapshot": 1},
    "2.2": {"receive": 5, "renewing": 4, "ack": 3, "change": 5, "undo": 2, "renew": 4, "give back": 2, "stale ack": 2, "wait": 3,
            "deadline": 3},
    "2.3": {"fifo": 8, "ack": 8, "stale ack": 1, "change": 2, "wait": 2, "deadline": 5, "snapshot": 1, "choose": 2, "land": 2},
    "2.4": {"choose": 5, "land": 5, "receive": 3, "race": 2, "ack": 3, "change": 4, "renewing": 2, "renew": 2, "deadline": 3},
    "2.5": {"receive": 6, "renewing": 2, "ack": 4, "stale ack": 2, "change": 2, "renew": 1, "twin": 3, "snapshot": 2, "forget": 2,
            "reset": 2, "wait": 1, "deadline": 4, "give back": 1},
}  # fmt: skip
"""Of each test, what may befall the table and how often."""


_RACE = (Wait(0, to_deadline=0), Choose(1), Choose(2), Land(0, 2_000), Land(0, 5_000))
"""Two leaders choose the same."""


def _drawn_step(kind: str, rng: Random) -> Step:  # noqa: C901, PLR0911, PLR0912 - one line for each kind
    client, span_ms = rng.randrange(3), rng.choice(_SPANS_MS)
    match kind:
        case "receive":
            return Receive(client, rng.randint(1, 4), span_ms, skips=rng.choice((0, 0, 0, 3)))
        case "renewing":
            return Receive(client, rng.randint(1, 3), span_ms, renews=True)
        case "fifo":
            return Receive(client, rng.randint(1, 4), span_ms, attempt=rng.choice((0, 1, 1, 1, 2)))
        case "choose":
            return Choose(rng.randint(1, 4))
        case "land":
            return Land(rng.randrange(3), span_ms)
        case "ack" | "stale ack":
            return Ack(rng.randrange(64), is_fresh=kind == "ack")
        case "change":
            return Change(rng.randrange(64), rng.choice((0, 1_000, 8_000)), is_fresh=rng.random() < 0.8)
        case "undo":
            return Change(rng.randrange(64), 0, is_counted=False)
        case "renew":
            return Renew(client, rng.choice((1_000, 6_000, 12_000)), rng.choice((1, 1, 2, 3)))
        case "give back":
            return GiveBack(client, everything=rng.random() < 0.5, earlier_ms=500 if span_ms == 2_000 else 0)
        case "snapshot" | "twin":
            return Snapshot(is_twin=kind == "twin")
        case "forget":
            return Forget(rng.randrange(2), rng.randint(0, 5))
        case "reset":
            return Reset(rng.randrange(2), rng.choice((0, 20, 50, 80, 100)))
        case "deadline":
            return Wait(500, to_deadline=rng.choice((-1, 0, 0, 0, 1)))
    return Wait(rng.choice((1, 500, 3_000)))


def drawn(number: str, seed: int) -> tuple[Step, ...]:
    """The steps of one seed."""
    rng, weights = Random(seed), _WEIGHTS[number]
    kinds = rng.choices(list(weights), list(weights.values()), k=_STEPS)
    steps = [step for kind in kinds for step in (_RACE if kind == "race" else (_drawn_step(kind, rng),))]
    if number == "2.1":
        for step in (Receive(1, 2, 5_000), Ack(0), Receive(0, 3, 2_000)):
            steps.insert(rng.randrange(len(steps)), Other(step))
    if rng.random() < 0.5:
        steps.insert(0, Later(rng.randrange(_NOW_MS), rng.randrange(2**36)))
    return tuple(steps)


def play(make: Make, steps: tuple[Step, ...], run: Run, **how: Any) -> None:
    """Do the steps; at the end everything that is not done is delivered and acknowledged. how: see `Bench`."""
    bench = Bench(make, run, **how)
    for step in steps:
        step.do(bench)
    bench.drain()
    bench.look_at_both()


_PLAYS = {
    "2.3": partial(play, is_fifo=True),
    "a-hundred-at-once": partial(play, ends=(100, 9)),
    "twenty-times": partial(play, attempts_max=100, ends=(1, 0)),
    "far-down-in-the-log": partial(play, ends=(4, 0)),
}
"""By test, and of some scripts by name."""


def _by_seed(number: str, seed: int) -> Case:
    return Case(str(seed), drawn(number, seed), _PLAYS.get(number, play))


def _cases(number: str, count: int) -> Callable[[Seeds], Sequence[Case]]:
    def cases(seeds: Seeds) -> Sequence[Case]:
        scripted = [Case(name, steps, _PLAYS.get(name, _PLAYS.get(number, play))) for name, steps in SCRIPTS[number].items()]
        return [*scripted, *(_by_seed(number, seed) for seed in seeds.draw(f"lab1c/{number}", count))]

    return cases


def _check(number: str, name: str, section: int, points: int, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), _cases(number, _CASES), partial(_by_seed, number), points, _SWEEP, must_meet)


SCHEDULES = (
    _check("2.1", "several clients receive and acknowledge while time passes", 5, 7,
           {"delivered": 200, "delivered again": 60, "acks": 30, "acks refused": 15, "dead": 2, "snapshots": 2}),
    _check("2.2", "changes, renewals, and clients that leave", 7, 6,
           {"changes": 25, "changes refused": 2, "renewed": 7, "given back": 7, "delivered again": 70}),
    _check("2.3", "an ordered group", 10, 6, {"repeats": 2, "acks": 25, "delivered again": 25}),
    _check("2.4", "receives that were chosen before something else came first", 2, 6,
           {"void": 6, "not due any more": 2, "changes": 12, "delivered": 200}),
    _check("2.5", "snapshots, retention and resets in between", 14, 5,
           {"snapshots": 25, "retention": 8, "resets": 6, "delivered again": 40}),
)  # fmt: skip
SWEEP = SCHEDULES
