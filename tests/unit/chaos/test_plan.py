"""Faults come from a seed alone."""

from itertools import islice

import pytest

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
        assert 0 < fault.rest_s <= 3
        assert fault.kind != "pause" or 0.2 <= fault.duration_s <= 3
        assert (fault.amount != 0) == (fault.kind in {"slow-disk", "clock-jump"})


def test_weights_choose_the_kinds() -> None:
    assert {fault.kind for fault in first(3, weights={"kill": 1, "pause": 0})} == {"kill"}


@pytest.mark.parametrize("weights", [{"kil": 1}, {"kill": 0}, {}])
def test_weights_that_choose_nothing_are_refused(weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="the kinds of faults are kill, pause,"):
        next(faults(1, weights))
