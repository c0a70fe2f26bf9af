"""Ring 3 of lab 3c: nodes that lose their power between a promise and the disk."""

from labs.stage3_raft.searching import Search, scope_of, search_check
from labs.stage3_raft.talks import Begin, Plan, comes_second, lacks_applied

__all__ = ["SEARCHES"]

_RIVALS = Begin(once=True, crashes=True, leads=False)

SEARCHES = (
    search_check(
        "lab3c", "3.1", "votes and terms, when a node restarts before they are on its disk", "Paper: Raft, section 5.2",
        Search(scope_of(is_disk_ready=False), Plan((9, 12, 30), begin=_RIVALS, last=comes_second, calls_max=2_000)),
        points=17, must_meet={"looks": 100, "leaders": 10},
    ),
    search_check(
        "lab3c", "3.2", "entries, when a node restarts before they are on its disk", "Paper: Raft, section 5.3",
        Search(
            scope_of(is_disk_ready=False, entries=3),
            Plan((9, 1, 1, 1), begin=Begin(crashes=True), last=lacks_applied, calls_max=2_500),
        ),
        points=17, must_meet={"looks": 200, "leaders": 10},
    ),
)  # fmt: skip
