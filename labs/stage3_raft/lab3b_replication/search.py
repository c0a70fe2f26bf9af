"""Ring 3 of lab 3b: logs that part, and leaders that come and go, four talks in a row."""

from labs.stage3_raft.searching import Search, scope_of, search_check
from labs.stage3_raft.talks import Plan, lacks_applied

__all__ = ["SEARCHES"]

SEARCHES = (
    search_check(
        "lab3b", "3.1", "what four elections in a row do to an entry that was applied", "Paper: Raft, section 5.4",
        Search(scope_of(), Plan((9, 1, 1, 1), last=lacks_applied)), points=16, must_meet={"looks": 300},
    ),
)  # fmt: skip
