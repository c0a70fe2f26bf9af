"""Ring 3 of lab 3a: candidates of one term, cut off from each other, and votes that come late."""

from labs.stage3_raft.searching import Search, scope_of, search_check
from labs.stage3_raft.talks import Begin, Plan, comes_second

__all__ = ["SEARCHES"]

_PLAN = Plan((9, 12, 30), begin=Begin(once=True, late=True, leads=False), last=comes_second, calls_max=1_500)
_LONGER = Plan((9, 9, 9, 30), begin=Begin(once=True, late=True, leads=False, again=False), last=comes_second, calls_max=2_000)
_MUST_MEET = {"looks": 50, "leaders": 5}

SEARCHES = (
    search_check(
        "lab3a", "3.1", "candidates that do not hear of each other, and votes that come late", "Paper: Raft, section 5.2",
        Search(scope_of(), _LONGER), points=17, must_meet=_MUST_MEET,
    ),
    search_check(
        "lab3a", "3.2", "the same where they ask first whether they would be elected", "Thesis: section 9.6",
        Search(scope_of(has_pre_vote=True), _PLAN), points=17, must_meet=_MUST_MEET,
    ),
)  # fmt: skip
