"""Ring 3 of lab 3b: logs that part, and leaders that come and go."""

from labs.stage3_raft.searching import Search, scope_of, search_check
from labs.stage3_raft.talks import Begin, Plan, lacks_applied

__all__ = ["SEARCHES"]

SEARCHES = (
    search_check(
        "lab3b", "3.1", "what elections in a row do to an entry that was applied", "Paper: Raft, section 5.4",
        Search(scope_of(), Plan((9, 1, 1, 1), last=lacks_applied, calls_max=3_000)),
        points=18, must_meet={"looks": 300, "leaders": 10},
    ),
    search_check(
        "lab3b", "3.2", "commands that reach some followers, and answers that come late", "Paper: Raft, section 5.3",
        Search(
            scope_of(proposals=2, entries_max=2),
            Plan((9, 1, 1, 1), begin=Begin(proposes=True, late=True), last=lacks_applied, calls_max=1_200),
        ),
        points=16, must_meet={"looks": 300, "leaders": 10},
    ),
)  # fmt: skip
