"""Clients that find brokers by registry nodes, come, go and crash: right by many seeds, and eleven wrong ones found."""

from collections import Counter

import pytest

from mq.client.allocation import ALLOCATIONS
from mq.sim.registry.clients import BrokenClientError, ClientWorld
from mq.sim.registry.members import ClientParts
from tests.sim.registry.wrong_clients import WRONG

pytestmark = pytest.mark.sim

_SEEDS, _NIGHT = 15, 2_000
_WRONG_SEEDS = 40


def run_all(seeds: range, parts: ClientParts) -> tuple[Counter[str], Counter[str]]:
    """What happened how often, and how many queues got another reader by what."""
    met: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for seed in seeds:
        world = ClientWorld(seed, parts)
        world.run()
        met.update(world.met)
        met["sends"] += sum(producer.sent for producer in world.producers)
        moved.update(world.moved)
    return met, moved


def check_shows_something(met: Counter[str], seeds: int) -> None:
    assert {"joins", "parts", "breaks", "starts", "crashes", "restarts", "cuts", "defines"} <= set(met), "these runs show little"
    assert met["steady"] >= 3 * seeds
    assert met["sends"] > 100 * seeds


def test_each_queue_has_one_reader_soon_after_changes_stop_and_a_ring_moves_the_fewest() -> None:
    moved = {}
    for strategy in ALLOCATIONS:
        met, moved[strategy] = run_all(range(_SEEDS), ClientParts(strategy))
        check_shows_something(met, _SEEDS)
    print({strategy: dict(found) for strategy, found in moved.items()})
    totals = {strategy: sum(found.values()) for strategy, found in moved.items()}
    assert totals["consistent_hash"] < totals["averagely"] < totals["averagely_by_circle"]


@pytest.mark.night
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("strategy", ALLOCATIONS)
def test_the_same_by_two_thousand_seeds(strategy: str) -> None:
    met, moved = run_all(range(_NIGHT), ClientParts(strategy))
    check_shows_something(met, _NIGHT)
    print(f"{strategy}: moves by change {dict(moved)}")


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_client_is_found(wrong: str) -> None:
    with pytest.raises(BrokenClientError, match=r"seed \d+:\n"):
        run_all(range(_WRONG_SEEDS), WRONG[wrong])


def test_a_seed_is_one_run() -> None:
    one, other = ClientWorld(7), ClientWorld(7)
    one.run()
    other.run()
    assert one.story == other.story
    assert (one.agenda.steps, one.met, one.moved) == (other.agenda.steps, other.met, other.moved)
