"""The searches that the command line knows by name.

`figure8`: the deep one. Three nodes, one entry a message, no pre-vote; the only promise is that no two nodes apply different
entries. Nothing in it knows what it looks for: it is drawn to what the nodes' logs have not looked like before.

`small-scope`: the complete one. Every state that three nodes can come to within two terms, two proposals, one crash and four
messages under way, all promises after each step: about six million, in some minutes and 1.1 GiB. States that differ only in the
nodes' names are one; a message that is lost is one that stays under way, so that it still counts among the four; what is saved
is durable at once, so that a crash takes only what is in memory (what it may take of a disk is tried by `run.py sim`).
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.sim.explore.coverage import by_coverage
from mq.sim.explore.exhaustive import breadth_first
from mq.sim.explore.group_model import GroupModel, GroupState, GroupStep
from mq.sim.explore.model import Outcome, Question, Result, Stopwatch
from mq.sim.explore.promises import PROMISES
from mq.sim.explore.scope import Scope
from mq.sim.explore.shrink import shrink
from mq.sim.group.seeds import calm_collector

__all__ = ["DEEP_SCOPE", "READABLE_STEPS", "SMALL_SCOPE", "TINY_SCOPE", "Found", "search_deep", "search_small"]

DEEP_SCOPE = Scope(
    term_max=8, index_max=3, proposals=1, crashes=2, heartbeats=2, in_flight_max=8, is_full_lossy=True,
    options=RaftOptions(entries_max=1, has_pre_vote=False, has_check_quorum=False),
)  # fmt: skip
SMALL_SCOPE = Scope(
    term_max=2, index_max=4, proposals=2, crashes=1, in_flight_max=4, has_symmetry=True, promises=tuple(PROMISES),
    options=RaftOptions(has_pre_vote=False, has_check_quorum=False),
)  # fmt: skip
TINY_SCOPE = replace(SMALL_SCOPE, proposals=0)
"""Without proposals it takes seconds: each leader's first entry is enough for many a mistake to show."""

READABLE_STEPS = 25
"""More steps than these nobody follows."""


class Found(NamedTuple):
    """A search's model, which gives its steps their meaning, its result, and the shortest path, empty where nothing broke.

    shrink_seconds: what making the path short took of one core, beside the result's seconds. is_cut_short: whether the budget
    was over before that came to its end.
    """

    model: GroupModel
    result: Result[GroupState, GroupStep]
    path: tuple[GroupStep, ...]
    shrink_seconds: float = 0.0
    is_cut_short: bool = False


def search_deep(
    make: type[RaftNode],
    seed: int,
    seconds_max: float,
    looked: Callable[[], None] | None = None,
    shortened: Callable[[], None] | None = None,
) -> Found:
    """By coverage, then shrunk. seconds_max: of one core, for the search, and as much for the shrinking.

    looked: see `Question`; shortened: the same for the states that are looked at again to make the story short.

    A story that is too long to be read even then is put aside, and another one is looked for in what is left of the budget.
    The result's seconds and events are those of all searches; its states are those of the search that found the story.
    """
    calm_collector()
    rng = random.Random(seed)  # noqa: S311  # a schedule, not a secret
    model = GroupModel(DEEP_SCOPE, make)
    question = Question(invariants=model.invariants(), seconds_max=seconds_max, looked=looked)

    def is_broken(state: GroupState) -> bool:
        if shortened is not None:
            shortened()
        return state.wrong > 0

    best: Found | None = None
    seconds = shrink_seconds = 0.0
    events = 0
    while best is None or (len(best.path) > READABLE_STEPS and max(seconds, shrink_seconds) < seconds_max):
        result = by_coverage(model, replace(question, seconds_max=seconds_max - seconds), rng=rng)
        seconds, events = seconds + result.seconds, events + result.events
        if result.outcome is not Outcome.BROKEN:
            best = best or Found(model, result, ())
            break
        watch = Stopwatch(seconds_max - shrink_seconds)
        path = shrink(model, result.path, is_broken, rng=rng, seconds_max=seconds_max - shrink_seconds)
        shrink_seconds += watch.seconds
        if best is None or len(path) < len(best.path):
            best = Found(model, result, path, is_cut_short=watch.is_over())
    return best._replace(result=replace(best.result, seconds=seconds, events=events), shrink_seconds=shrink_seconds)


def search_small(
    make: type[RaftNode], scope: Scope = SMALL_SCOPE, seconds_max: float = 0, looked: Callable[[], None] | None = None
) -> Found:
    """Breadth first: a path that is found is a shortest one. looked: see `Question`."""
    calm_collector()
    model = GroupModel(scope, make)
    result = breadth_first(model, Question(invariants=model.invariants(), seconds_max=seconds_max, looked=looked))
    return Found(model, result, result.path)
