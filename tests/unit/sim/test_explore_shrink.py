"""The shrinker: what can be left out is, what is needed stays, and what follows keeps its meaning."""

import random

import pytest

from mq.sim.explore.shrink import replay, shrink
from tests.unit.sim.explore_models import Baton, Grid, Pair, Post

State = Post.State


def has_three_rising(state: State) -> bool:
    return state[3] == 3


def test_all_noise_is_left_out() -> None:
    noisy = [
        ("write", 0),
        ("crumple", 0),
        ("write", 0),
        ("read", 2),
        ("read", 1),
        ("crumple", 0),
        *[("write", 0)] * 3,
        ("read", 3),
    ]
    noisy += [("crumple", 0), ("read", 5), ("write", 0), ("read", 4)]
    found = shrink(Post(), noisy, has_three_rising, rng=random.Random(1))
    assert sorted(found) == [("read", 1), ("read", 2), ("read", 3), *[("write", 0)] * 3]
    assert replay(Post(), found, has_three_rising) == found


def test_what_was_named_after_something_left_out_is_replaced_by_the_nearest() -> None:
    """Without the first letters, of which none is read, the later ones have other editions."""
    steps = [*[("write", 0)] * 5, ("read", 3), ("read", 4), ("read", 5)]
    assert replay(Post(), steps[2:], has_three_rising) is None, "only one of these orders rises"
    found = shrink(Post(), steps, has_three_rising, rng=random.Random(1))
    assert len(found) == 6
    assert max(edition for _, edition in found) == 3


def test_no_single_step_can_be_left_out_of_what_is_found() -> None:
    rng = random.Random(4)
    steps = [rng.choice([("write", 0), ("crumple", 0), ("read", rng.randrange(1, 20))]) for _ in range(200)]
    assert replay(Post(), steps, has_three_rising) is not None
    found = shrink(Post(), steps, has_three_rising, rng=random.Random(1), patience=500)
    for place in range(len(found)):
        assert replay(Post(), found[:place] + found[place + 1 :], has_three_rising) is None


def test_a_replay_ends_with_the_failure_and_passes_over_what_cannot_happen() -> None:
    def is_far(state: Pair) -> bool:
        return state == (2, 0)

    assert replay(Grid(2), ["left", "left", "right"], is_far) == ("left", "left")
    assert replay(Grid(1), ["left", "left", "right"], is_far) is None, "out of bounds"
    assert replay(Post(), [("read", 7), ("write", 0), ("read", 1)], lambda state: state[3] == 1) == (("write", 0), ("read", 1))


def test_where_a_stretch_is_left_out_another_takes_over_who_is_alike() -> None:
    """Without the passing on, b cannot run; a can run just as well. patience=0: chance has no part in it."""
    steps = ["a", "pass", "b", "b", "b", "pass", "a"]
    assert shrink(Baton(), steps, lambda state: state[1] == 5, rng=random.Random(1), patience=0) == ("a",) * 5


def test_a_detour_is_replaced_by_the_straight_way() -> None:
    """Leaving out alone does not help: each step of the detour is needed for the next."""

    roads = {0: "ax", 1: "b", 2: "c", 3: "d", 4: "e", 5: "f", 6: ""}

    class Roads(Grid):
        def steps(self, state: Pair) -> list[str]:
            return list(roads[state[0]])

        def after(self, state: Pair, step: str) -> Pair:
            return {"a": 1, "x": 4, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}[step], 0

        def resolve(self, state: Pair, step: str) -> str | None:
            return step if step in self.steps(state) else None

    def is_there(state: Pair) -> bool:
        return state[0] == 6

    assert shrink(Roads(1), list("abcdef"), is_there, rng=random.Random(1)) == ("x", "e", "f")


def test_steps_that_do_not_fail_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to shrink"):
        shrink(Post(), [("write", 0)], has_three_rising, rng=random.Random(1))


def test_equal_seeds_shrink_alike() -> None:
    steps = [*[("write", 0)] * 9, *[("read", edition) for edition in (4, 2, 6, 3, 9)]]
    one, other = (shrink(Post(), steps, has_three_rising, rng=random.Random(8), patience=300) for _ in "ab")
    assert one == other


def test_when_the_time_is_over_a_story_that_fails_is_given_back_as_short_as_it_is() -> None:
    steps = [*[("write", 0)] * 5, ("read", 3), ("read", 4), ("read", 5)]
    whole = replay(Post(), steps, has_three_rising)
    assert whole is not None
    assert shrink(Post(), steps, has_three_rising, rng=random.Random(1), seconds_max=1e-9) == whole
    assert len(shrink(Post(), steps, has_three_rising, rng=random.Random(1), seconds_max=60)) < len(whole)
