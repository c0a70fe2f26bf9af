"""Faults come from a seed alone."""

import re
from itertools import islice
from pathlib import Path

import pytest

from mq.chaos.calm import CALM_AFTER_S
from mq.chaos.plan import WEIGHTS, Fault, faults


def first(seed: int, count: int = 300, weights: dict[str, int] | None = None) -> list[Fault]:
    return list(islice(faults(seed, weights), count))


def test_equal_seeds_give_equal_faults_and_others_do_not() -> None:
    assert first(7) == first(7)
    assert first(7) != first(8)


def test_every_kind_comes_and_the_likely_ones_more_often() -> None:
    counts = {kind: sum(fault.kind == kind for fault in first(1, 2000)) for kind in WEIGHTS}
    assert min(counts.values()) > 0
    assert counts["kill"] > counts["rolling-restart"]


def test_pauses_are_short_and_only_clocks_and_slow_disks_have_an_amount() -> None:
    for fault in first(2, 2000):
        assert fault.kind != "pause" or 0.2 <= fault.duration_s <= 3
        assert (fault.amount != 0) == (fault.kind in {"slow-disk", "clock-jump"})


def test_every_tenth_rest_is_so_long_that_all_is_well_for_some_seconds_and_the_others_are_short() -> None:
    rests_s = [fault.rest_s for fault in first(2, 2000)]
    assert min(rests_s[9::10]) >= CALM_AFTER_S + 5.0
    del rests_s[9::10]
    assert 0 < min(rests_s) <= max(rests_s) <= CALM_AFTER_S


def test_the_seed_of_the_checks_breaks_in_all_ways_soon() -> None:
    found = re.search(r"^chaos_seed=(\d+)$", (Path(__file__).parents[3] / ".ci" / "run").read_text(), re.MULTILINE)
    assert found is not None
    assert {fault.kind for fault in first(int(found[1]), 16)} == set(WEIGHTS)


def test_weights_choose_the_kinds() -> None:
    assert {fault.kind for fault in first(3, weights={"kill": 1, "pause": 0})} == {"kill"}


@pytest.mark.parametrize("weights", [{"kil": 1}, {"kill": 0}, {}])
def test_weights_that_choose_nothing_are_refused(weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="the kinds of faults are kill, pause,"):
        next(faults(1, weights))
