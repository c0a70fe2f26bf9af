"""Every kind of search on real nodes: in stages with goals and prunes, depth first, by random walks."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from mq.raft.node import RaftNode
from mq.raft.role import Role
from mq.sim.explore.exhaustive import breadth_first, depth_first
from mq.sim.explore.goals import TINY_SCOPE
from mq.sim.explore.group_model import GroupModel, GroupState, GroupStep
from mq.sim.explore.model import Model, Outcome, Question, Result
from mq.sim.explore.promises import Look
from mq.sim.explore.shrink import replay
from mq.sim.explore.walks import random_walks, staged
from mq.sim.explore.wrong_cores import CommitsWithoutQuorum, VotesForAnyLog


def looks(model: GroupModel, state: GroupState) -> list[Look]:
    return [model.local.states[number].look for number in state.nodes]


Found = Result[GroupState, GroupStep]


def broad(model: Model[GroupState, GroupStep], question: Question[GroupState], start: GroupState) -> Found:
    return breadth_first(model, question, start=start)


def in_stages(make: type[RaftNode]) -> tuple[GroupModel, Found]:
    """A leader; then its entry committed; then whatever may follow once its term is over, in no more than fourteen steps."""
    model = GroupModel(TINY_SCOPE, make)

    def leads(state: GroupState) -> bool:
        return any(look.role is Role.LEADER for look in looks(model, state))

    def has_committed(state: GroupState) -> bool:
        return any(look.commit_index for look in looks(model, state))

    def is_crowded(state: GroupState) -> bool:
        return len(state.messages) > 3

    after = Question(invariants=model.invariants(), prunes={"three messages are enough": is_crowded}, depth_max=14)
    elected = Question(goals={"a leader": leads})
    committed = Question(goals={"its entry is committed": has_committed}, invariants=model.invariants())
    return model, staged(model, [(elected, broad), (committed, broad), (after, broad)])


def test_a_staged_search_finds_what_breaks_behind_a_committed_entry() -> None:
    model, found = in_stages(VotesForAnyLog)
    assert (found.outcome, found.which) == (Outcome.BROKEN, "leader-completeness")
    assert replay(model, found.path, lambda state: state.wrong > 0) == found.path, "the path is that of all stages together"


def test_the_same_stages_break_nothing_of_the_right_core() -> None:
    _, found = in_stages(RaftNode)
    assert found.outcome in {Outcome.SPENT, Outcome.EXHAUSTED}
    assert found.states > 1_000, "the last stage saw next to nothing"


@pytest.mark.parametrize(
    "search", [depth_first, partial(random_walks, rng=random.Random(4))], ids=["depth first", "random walks"]
)
def test_other_searches_find_a_commit_without_a_quorum(search: Callable[..., Found]) -> None:
    model = GroupModel(TINY_SCOPE, CommitsWithoutQuorum)
    question = Question(invariants=model.invariants(), depth_max=25, states_max=60_000)
    found = search(model, question)
    assert found.outcome is Outcome.BROKEN
    right = GroupModel(TINY_SCOPE, RaftNode)
    assert search(right, Question(invariants=right.invariants(), depth_max=25, states_max=1_000)).outcome is Outcome.SPENT
