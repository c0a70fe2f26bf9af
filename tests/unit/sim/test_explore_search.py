"""Searches find what is there, by a shortest path where they promise one, and say honestly when they have not seen all."""

import random
from functools import partial

import pytest

from mq.sim.explore.coverage import CoverageOptions, by_coverage
from mq.sim.explore.exhaustive import breadth_first, depth_first
from mq.sim.explore.model import Model, Outcome, Question, Result
from mq.sim.explore.walks import Search, random_walks, staged
from tests.unit.sim.explore_models import Grid, Jugs, Lock, Pair

FOUR_LITRES: Question[Pair] = Question(goals={"four": lambda state: state[1] == 4}, states_max=1000)


def walk(model: Model[Pair, str], question: Question[Pair], start: Pair) -> Result[Pair, str]:
    return random_walks(model, question, rng=random.Random(5), start=start)


def cover(model: Model[Pair, str], question: Question[Pair], start: Pair) -> Result[Pair, str]:
    return by_coverage(model, question, rng=random.Random(5), start=start)


def broad(model: Model[Pair, str], question: Question[Pair], start: Pair) -> Result[Pair, str]:
    return breadth_first(model, question, start=start)


def deep(model: Model[Pair, str], question: Question[Pair], start: Pair) -> Result[Pair, str]:
    return depth_first(model, question, start=start)


SEARCHES = {"breadth": broad, "depth": deep, "walks": walk, "coverage": cover}


def end_of(model: Model[Pair, str], path: tuple[str, ...]) -> Pair:
    state = model.first()
    for step in path:
        after = model.after(state, step)
        assert after is not None
        state = after
    return state


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_reaches_its_goal_and_its_path_leads_there(name: str) -> None:
    result = SEARCHES[name](Jugs(), FOUR_LITRES, (0, 0))
    assert (result.outcome, result.which) == (Outcome.REACHED, "four")
    assert end_of(Jugs(), result.path) == result.state
    assert result.state is not None
    assert result.state[1] == 4
    assert result.depth >= len(result.path) >= 6


def test_breadth_first_finds_a_shortest_path() -> None:
    result = breadth_first(Jugs(), FOUR_LITRES)
    assert len(result.path) == result.depth == 6, "five steps do not measure four litres"


@pytest.mark.parametrize("name", SEARCHES)
def test_a_broken_invariant_ends_a_search_with_its_reason(name: str) -> None:
    question: Question[Pair] = Question(
        invariants={"no big flood": lambda state: f"{state[1]} litres" if state[1] > 4 else None}, states_max=1000
    )
    result = SEARCHES[name](Jugs(), question, (0, 0))
    assert (result.outcome, result.which, result.why) == (Outcome.BROKEN, "no big flood", "5 litres")
    assert end_of(Jugs(), result.path)[1] == 5


@pytest.mark.parametrize("name", SEARCHES)
def test_an_invariant_that_is_broken_at_the_start_is_seen(name: str) -> None:
    question: Question[Pair] = Question(invariants={"never": lambda _: "it is so"}, states_max=10)
    result = SEARCHES[name](Jugs(), question, (0, 0))
    assert (result.outcome, result.path, result.states) == (Outcome.BROKEN, (), 1)


@pytest.mark.parametrize("search", [broad, deep])
def test_a_complete_search_sees_each_state_once_and_says_that_it_saw_all(search: Search[Pair, str]) -> None:
    grid = Grid(9)
    result = search(grid, Question(), (0, 0))
    assert (result.outcome, result.states) == (Outcome.EXHAUSTED, 100)
    assert set(grid.looked_at) == {(left, right) for left in range(10) for right in range(10)}
    assert max(grid.looked_at.values()) == 1, "a state was looked at again"
    assert result.events == 200


@pytest.mark.parametrize("search", [broad, deep])
@pytest.mark.parametrize("limit", [{"depth_max": 4}, {"states_max": 12}])
def test_a_search_that_was_cut_short_does_not_claim_to_have_seen_all(search: Search[Pair, str], limit: dict[str, int]) -> None:
    result = search(Grid(9), Question(**limit), (0, 0))  # type: ignore[arg-type]  # the numbers fit
    assert result.outcome is Outcome.SPENT
    assert result.states < 100


def test_depth_first_comes_back_to_a_state_that_it_first_met_too_deep() -> None:
    """By way of a detour 3 is met at depth 3 first, from where 5 is out of reach."""

    edges = {0: (1, 3), 1: (2,), 2: (3,), 3: (4,), 4: (5,), 5: ()}

    class Detour(Jugs):
        def steps(self, state: Pair) -> list[str]:
            return [str(to) for to in edges[state[0]]]

        def after(self, state: Pair, step: str) -> Pair:
            return int(step), 0

    question: Question[Pair] = Question(goals={"end": lambda state: state[0] == 5}, depth_max=3)
    result = depth_first(Detour(), question)
    assert (result.outcome, result.path) == (Outcome.REACHED, ("3", "4", "5"))


def test_nothing_beyond_a_prune_is_looked_at() -> None:
    grid = Grid(9)
    result = breadth_first(grid, Question(prunes={"left of 3": lambda state: state[0] >= 3}))
    assert result.states == 40, "the border itself is seen"
    assert max(left for left, _ in grid.looked_at) == 2
    for search in (walk, cover, deep):
        pruned = search(Grid(9), Question(prunes={"at once": lambda _: True}, states_max=5), (0, 0))
        assert pruned.states == 1


def test_coverage_opens_a_lock_that_random_walks_do_not() -> None:
    lock = Lock("fadedbeefacade")
    question: Question[Pair] = Question(goals={"open": lambda state: state[0] == 14}, states_max=1000)
    options = CoverageOptions(walk_steps=8, rivals=4)
    found = by_coverage(lock, question, rng=random.Random(3), options=options)
    assert (found.outcome, end_of(lock, found.path)[0]) == (Outcome.REACHED, 14)
    lost = random_walks(Lock("fadedbeefacade"), question, rng=random.Random(3))
    assert lost.outcome is Outcome.SPENT
    assert lost.events > 5 * found.events, "the walks had less to spend"


def test_coverage_prefers_what_comes_from_within() -> None:
    """With no step from outside a jug stays empty: nothing can be reached."""
    options = CoverageOptions(outside_percent=0)
    question: Question[Pair] = Question(goals=FOUR_LITRES.goals, states_max=10)
    result = by_coverage(Jugs(), question, rng=random.Random(1), options=options)
    assert (result.outcome, result.states) == (Outcome.SPENT, 1)


@pytest.mark.parametrize("search", [walk, cover])
def test_equal_seeds_search_alike(search: Search[Pair, str]) -> None:
    one, other = (
        search(Lock("fade"), Question(goals={"open": lambda state: state[0] == 4}, states_max=50), (0, 0)) for _ in "ab"
    )
    assert one.path == other.path != ()
    assert (one.events, one.states) == (other.events, other.states)


@pytest.mark.parametrize("search", [random_walks, by_coverage])
def test_a_search_without_an_end_is_refused(search: object) -> None:
    with pytest.raises(ValueError, match="no end of"):
        search(Jugs(), Question(), rng=random.Random(1))  # type: ignore[operator]  # both are searches


def test_the_budget_of_seconds_ends_a_search() -> None:
    for search in (broad, deep, walk, cover):
        result = search(Grid(10_000), Question(seconds_max=0.05), (0, 0))
        assert result.outcome is Outcome.SPENT
        assert 0.05 <= result.seconds < 5


def goal(left: int, right: int) -> Question[Pair]:
    return Question(goals={f"{left}, {right}": lambda state: state == (left, right)}, states_max=10_000)


def test_stages_go_on_from_one_another() -> None:
    result = staged(Grid(9), [(goal(2, 1), broad), (goal(3, 3), broad), (goal(9, 9), deep)])
    assert (result.outcome, result.which, result.state) == (Outcome.REACHED, "9, 9", (9, 9))
    assert len(result.path) == 18
    assert end_of(Grid(9), result.path[:3]) == (2, 1)
    assert end_of(Grid(9), result.path[:6]) == (3, 3)


def test_stages_end_with_the_first_that_misses_its_goal() -> None:
    result = staged(Grid(3), [(goal(2, 2), broad), (goal(1, 3), broad), (goal(3, 3), broad)])
    assert result.outcome is Outcome.EXHAUSTED
    assert end_of(Grid(3), result.path) == (2, 2), "what led to the last goal is kept"
    with pytest.raises(ValueError, match="needs stages"):
        staged(Grid(3), [])


def test_a_stage_may_be_a_search_with_its_own_options() -> None:
    by_chance = partial(by_coverage, rng=random.Random(2))
    stages: list[tuple[Question[Pair], Search[Pair, str]]] = [
        (goal(1, 1), lambda model, question, start: by_chance(model, question, start=start)),
        (goal(2, 2), broad),
    ]
    assert staged(Grid(5), stages).state == (2, 2)
