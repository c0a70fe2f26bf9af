"""Ring 2: producers, a broker and a consumer that dies, by seed, everything checked after each operation; and scripted ones."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1d_idempotent_consumer.names import FALLING, ODD, PLAIN, SHOP, Names, names_of
from labs.stage1_single_node.lab1d_idempotent_consumer.rules import rule
from labs.stage1_single_node.lab1d_idempotent_consumer.steps import (
    CUSTOMERS,
    Alike,
    Bad,
    Clash,
    Copy,
    Crash,
    Deliver,
    Open,
    OpenClash,
    OtherWords,
    Send,
    Step,
    Wait,
)
from labs.stage1_single_node.lab1d_idempotent_consumer.world import HANDLING_MS, KEEP_MS, USUAL, Limits, World

__all__ = ["SCHEDULES", "SCRIPTS", "SWEEP", "drawn", "play"]

_STEPS = 30
_CASES = 24
_SWEEP = 60
_LOAVES = (1, 2, 3, 4, 5, 5, 12, 30, 144, 2500)
_WEIGHTS: dict[str, dict[str, int]] = {
    "2.1": {"send": 6, "copy": 3, "deliver": 8, "ack lost": 5, "slow": 2},
    "2.2": {"send": 6, "copy": 2, "deliver": 5, "ack lost": 2, "slow": 2, "dies": 7, "crash": 1},
    "2.3": {"open": 2, "send": 5, "copy": 3, "clash": 2, "bad": 2, "deliver": 10, "ack lost": 2, "dies": 3},
    "2.4": {"send": 5, "copy": 3, "deliver": 8, "ack lost": 3, "dies": 2, "wait": 3, "clash": 1},
}
"""Of each test, what may happen and how often."""
_FAULTS = ("!", " ", "\n", "a")
_OPENED = tuple(Open(customer) for customer in range(CUSTOMERS)) + (Deliver(0),) * CUSTOMERS

SCRIPTS: dict[str, dict[str, tuple[Step, ...]]] = {
    "2.1": {
        "the-older-one-comes-last": (
            *_OPENED, Send(0, 12), Send(0, 2), Deliver(0, "ack lost"), Deliver(1), Deliver(0), Copy(3), Deliver(0),
        ),
        "many-others-in-between": (
            *_OPENED, Send(0, 3), Deliver(0, "ack lost"), *(step for _ in range(8) for step in (Send(1, 1), Deliver(1))),
            Deliver(0),
        ),
    },
    "2.2": {
        "dies-everywhere": (
            *_OPENED, Send(0, 3), Send(1, 2), *(Deliver(0, "dies", after) for after in (0, 1, 2)), Deliver(0, "dies", 1),
            Deliver(0),
        ),
        "keys-of-all-kinds": (
            *_OPENED, *(step for loaves in range(1, 13) for step in (Send(loaves, loaves), Deliver(-1, "ack lost"), Copy(-1))),
            Crash(), *(Deliver(0) for _ in range(24)),
        ),
    },
    "2.3": {
        "before-its-account": (Send(0, 3), Deliver(0), Open(0), Deliver(1), Deliver(0), Copy(0), Deliver(0)),
        "never-an-account": (
            Send(0, 3), Deliver(0), Deliver(0), Deliver(0), Copy(0), Crash(), Open(0), Deliver(1), Deliver(0), Deliver(0),
        ),
        "a-key-of-what-was-given-back": (
            Open(1), Deliver(0), Send(0, 3), Deliver(0), Clash(1, 1), Deliver(1), Open(0), Deliver(1), Deliver(0), Copy(1),
            Deliver(0),
        ),
        "an-opening-with-a-used-key": (
            Open(0), Deliver(0), Send(0, 3), Deliver(0), OpenClash(1, 0), Deliver(0), OpenClash(1, 1), Deliver(0),
            Alike(1, is_readable=False), Deliver(0),
        ),
        "the-same-in-other-words": (
            *_OPENED, Send(0, 1), Deliver(0), OtherWords(3), Deliver(0), Crash(), Send(1, 12), Deliver(0), OtherWords(5),
            Deliver(0), Alike(3, is_readable=False, fault=" "), Deliver(0), Bad(8), Deliver(0),
        ),
        "a-name-that-begins-another-one": (Open(2), Deliver(0), Send(0, 3), Deliver(0), Open(0), Deliver(1), Deliver(0)),
        "opened-twice": (Open(0), Deliver(0), Send(0, 3), Deliver(0), Open(0), Deliver(0), Send(0, 2), Deliver(0)),
    },
    "2.4": {
        "just-in-time": (
            *_OPENED, Send(0, 3), Deliver(0, "ack lost"), Copy(3), Wait(KEEP_MS - 100), Send(1, 2), Deliver(2), Deliver(0),
            Deliver(0),
        ),
        # Copies come when their time is over to the millisecond, behind an order that is settled in that millisecond.
        "at-the-last-moment": (
            *_OPENED, Send(0, 3), Deliver(0, "ack lost"), Copy(3), Wait(KEEP_MS - HANDLING_MS), Send(1, 2), Deliver(2),
            Deliver(0, takes_ms=0), Deliver(0, takes_ms=0), Wait(KEEP_MS), Send(1, 1), Deliver(0),
        ),
        "at-the-last-moment-alone": (
            *_OPENED, Send(0, 3), Deliver(0, "ack lost"), Copy(3), Wait(KEEP_MS - HANDLING_MS), Deliver(0), Crash(),
            Deliver(0, takes_ms=0),
        ),
        "long-ago": (*_OPENED, *(step for _ in range(24) for step in (Send(0, 1), Deliver(0), Wait(KEEP_MS)))),
        "long-ago-and-begun-anew": (
            *_OPENED, *(step for _ in range(16) for step in (Send(0, 1), Deliver(0), Wait(KEEP_MS * 2 // 3), Crash())),
        ),
    },
}  # fmt: skip
"""By test, and by name."""
_SCRIPT_NAMES = {"long-ago-and-begun-anew": FALLING, "keys-of-all-kinds": ODD}


def limits_of(seed: int) -> Limits:
    """Of one seed. Nothing of it may be taken for granted."""
    rng = Random(f"limits of {seed}")
    return Limits(
        rng.choice((7_000, 60_000, 259_200_000)), rng.choice((250, 1_000, 2_000)), rng.choice((1, 2, 3, 3, 4, 16)),
        rng.choice((1_000, 1_796_000_000_000)),
    )  # fmt: skip


def _step(kind: str, rng: Random, keep_ms: int) -> Step:  # noqa: PLR0911 - one line for each kind
    which = rng.randrange(64)
    match kind:
        case "open":
            return Open(rng.randrange(CUSTOMERS))
        case "send":
            return Send(rng.randrange(CUSTOMERS), rng.choice(_LOAVES))
        case "copy":
            return Copy(which)
        case "clash":
            customer = rng.randrange(CUSTOMERS)
            return rng.choice((
                Clash(which, customer), OpenClash(which, customer), Alike(which), OtherWords(which),
                Alike(which, is_readable=False, fault=rng.choice(_FAULTS)),
            ))  # fmt: skip
        case "bad":
            return Bad(which)
        case "dies":
            return Deliver(which, "dies", rng.randrange(4))
        case "crash":
            return Crash(rng.randrange(3))
        case "wait":
            return Wait(rng.choice((keep_ms // 3, keep_ms // 2, keep_ms - HANDLING_MS, keep_ms)))
    return Deliver(which, "done" if kind == "deliver" else kind)


def drawn(number: str, seed: int) -> tuple[Step, ...]:
    """The steps of one seed."""
    rng, weights = Random(seed), _WEIGHTS[number]
    kinds = rng.choices(list(weights), list(weights.values()), k=_STEPS)
    begin = _OPENED if number != "2.3" else ()
    return (*begin, *(_step(kind, rng, limits_of(seed).keep_ms) for kind in kinds))


def play(
    make: Make, steps: tuple[Step, ...], run: Run, *, is_drained: bool = True, limits: Limits = USUAL, names: Names = PLAIN
) -> None:
    """Do the steps. is_drained: at the end everything that is not done is delivered."""
    world = World(make, run, limits, names)
    for step in steps:
        step.do(world)
    if is_drained:
        world.drain()


def _by_seed(number: str, seed: int) -> Case:
    return Case(str(seed), drawn(number, seed), partial(play, limits=limits_of(seed), names=names_of(seed)))


def _cases(number: str) -> Callable[[Seeds], Sequence[Case]]:
    def cases(seeds: Seeds) -> Sequence[Case]:
        scripted = [
            Case(name, steps, partial(play, names=_SCRIPT_NAMES.get(name, SHOP))) for name, steps in SCRIPTS[number].items()
        ]
        return [*scripted, *(_by_seed(number, seed) for seed in seeds.draw(f"lab1d/{number}", _CASES))]

    return cases


def _check(number: str, name: str, section: int, points: int, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), _cases(number), partial(_by_seed, number), points, _SWEEP, must_meet)


SCHEDULES = (
    _check("2.1", "messages come twice, late, and in another order", 5, 8,
           {"booked": 60, "copies": 60, "acks lost": 40, "slow": 8, "again": 60, "sent again": 20}),
    _check("2.2", "the consumer dies between any two operations", 2, 9,
           {"booked": 60, "copies": 40, "crashes": 80, "crashes in between": 20}),
    _check("2.3", "what nobody can read, keys used twice, accounts that open too late", 8, 8,
           {"set aside": 40, "given back": 60, "booked": 12, "crashes": 20}),
    _check("2.4", "days pass, and what is noted stays small", 9, 7,
           {"booked": 50, "copies": 40, "copies at the last moment": 3, "forgotten": 25}),
)  # fmt: skip
SWEEP = SCHEDULES
