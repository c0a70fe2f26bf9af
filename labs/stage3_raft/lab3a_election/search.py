"""Ring 3 of lab 3a: candidates of one term, cut off from each other, and votes that come late."""

from labs.stage3_raft.searching import Search, scope_of, search_check
from labs.stage3_raft.talks import Begin, Plan

__all__ = ["SEARCHES"]

_RIVALS = Begin(once=True, late=True, leads=False)
_PAPER = "Paper: Raft, section 5.2"

SEARCHES = (
    search_check(
        "lab3a", "3.1", "candidates that do not hear of each other, and votes that come late", _PAPER,
        Search(scope_of(), Plan((9, 4, 2), begin=_RIVALS, calls_max=2_500)), points=17, must_meet={"looks": 50},
    ),
    search_check(
        "lab3a", "3.2", "the same where they ask first whether they would be elected", "Thesis: section 9.6",
        Search(scope_of(has_pre_vote=True), Plan((9, 4, 2), begin=_RIVALS, calls_max=2_500)), points=17, must_meet={"looks": 50},
    ),
)  # fmt: skip
