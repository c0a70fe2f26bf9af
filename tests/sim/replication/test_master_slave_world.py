"""A master and its slaves by many seeds: what holds, the three failures by name, and eleven wrong ones that are found."""

from collections import Counter
from collections.abc import Iterable

import pytest

from mq.broker.replication.master_slave import Copy, MasterSlave
from mq.sim.group.watch import ViolationError
from mq.sim.replication.failures import FAILURES, Failure, run_failure
from mq.sim.replication.stories import anything, calm, careful, two_people
from mq.sim.replication.world import MasterSlaveWorld, Story, draw_options
from tests.sim.replication.wrong_masters import WRONG

pytestmark = pytest.mark.sim

_SEEDS, _NIGHT, _WRONG_SEEDS = 6, 300, 8


def run_all(
    seeds: Iterable[int], story: Story, copy: Copy, *, keeps_all: bool = False, make: type[MasterSlave] = MasterSlave
) -> Counter[str]:
    met: Counter[str] = Counter()
    for seed in seeds:
        world = MasterSlaveWorld(seed, story, draw_options(seed, copy), make=make, keeps_all=keeps_all)
        world.run()
        met.update(world.met)
    return met


@pytest.mark.parametrize("copy", Copy)
def test_without_a_promotion_nothing_is_lost_whatever_is_killed_or_cut(copy: Copy) -> None:
    met = run_all(range(_SEEDS), calm, copy, keeps_all=True)
    assert {"kills", "cuts", "acknowledged"} <= set(met)
    assert met["set aside"] == 0, "nobody may be told that something is gone that is not"


def test_synchronous_copy_outlives_one_node_with_its_disk_when_who_has_most_is_promoted() -> None:
    met = run_all(range(_SEEDS), careful, Copy.SYNC, keeps_all=True)
    assert {"lost disks", "promotions", "acknowledged"} <= set(met)
    assert met["lost"] == 0


@pytest.mark.parametrize("copy", Copy)
def test_whatever_happens_slaves_catch_up_epochs_have_one_master_and_logs_of_one_agree(copy: Copy) -> None:
    met = run_all(range(_SEEDS), anything, copy)
    assert {"kills", "cuts", "promotions", "lost disks"} <= set(met)


def test_two_people_who_do_not_hear_each_other_name_masters_of_different_epochs() -> None:
    assert run_all(range(_SEEDS), two_people, Copy.ASYNC)["promotions"] > _SEEDS


@pytest.mark.night
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("story", "copy", "keeps_all"), [
    (calm, Copy.ASYNC, True), (calm, Copy.SYNC, True), (careful, Copy.SYNC, True), (careful, Copy.ASYNC, False),
    (anything, Copy.ASYNC, False), (anything, Copy.SYNC, False), (two_people, Copy.ASYNC, False), (two_people, Copy.SYNC, False),
])  # fmt: skip
def test_the_same_by_hundreds_of_seeds(story: Story, copy: Copy, keeps_all: bool) -> None:
    assert run_all(range(_NIGHT), story, copy, keeps_all=keeps_all)["acknowledged"] > 100 * _NIGHT


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_each_failure_is_shown_by_its_seed(failure: Failure) -> None:
    world = run_failure(failure)
    assert {shown: world.met[shown] for shown in failure.shows if not world.met[shown]} == {}
    assert ("lost" in failure.shows) == bool(world.lost)
    assert world.lines == run_failure(failure).lines, "a seed is one run"


@pytest.mark.parametrize(("wrong", "story", "copy"), WRONG, ids=[kind.__name__ for kind, _, _ in WRONG])
def test_a_wrong_one_is_found(wrong: type[MasterSlave], story: Story, copy: Copy) -> None:
    with pytest.raises(ViolationError, match=rf"seed \d+, {copy} copy"):
        run_all(range(_WRONG_SEEDS), story, copy, make=wrong)
