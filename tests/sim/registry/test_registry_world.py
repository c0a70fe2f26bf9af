"""The registry's table among brokers that crash, join and change: right by many seeds, and eleven wrong ones found."""

from collections import Counter

import pytest

from mq.registry.table import RegistryTable
from mq.sim.registry.world import BrokenRouteError, RegistryWorld
from tests.sim.registry.wrong_tables import WRONG

pytestmark = pytest.mark.sim

_SEEDS, _NIGHT = 40, 2_000
_WRONG_SEEDS = 40


def run_all(seeds: range, make: type[RegistryTable] = RegistryTable) -> Counter[str]:
    met: Counter[str] = Counter()
    for seed in seeds:
        world = RegistryWorld(seed, make=make)
        world.run()
        met.update(world.met)
    return met


def test_routes_are_right_after_changes_stop_and_never_say_what_no_group_had() -> None:
    met = run_all(range(_SEEDS))
    lacking = {"starts", "crashes", "leaves", "defines", "restarts", "cuts", "heals", "expires"} - set(met)
    assert lacking == set(), "these runs show little"


@pytest.mark.night
@pytest.mark.timeout(3600)
def test_the_same_by_two_thousand_seeds() -> None:
    assert run_all(range(_NIGHT))["crashes"] > _NIGHT, "these runs show little"


@pytest.mark.parametrize("wrong", WRONG, ids=lambda kind: kind.__name__)
def test_a_wrong_registry_is_found(wrong: type[RegistryTable]) -> None:
    with pytest.raises(BrokenRouteError, match=r"seed \d+:\n"):
        run_all(range(_WRONG_SEEDS), wrong)


def test_a_seed_is_one_run() -> None:
    one, other = RegistryWorld(7), RegistryWorld(7)
    one.run()
    other.run()
    assert one.story == other.story
    assert (one.agenda.steps, one.met) == (other.agenda.steps, other.met)
