"""Ring 3 of lab 3d: snapshots that are on their way while leaders change."""

from labs.stage3_raft.searching import Search, scope_of, search_check
from labs.stage3_raft.talks import Begin, Plan, lacks_applied

__all__ = ["SEARCHES"]

_SCOPE = scope_of(proposals=2, entries=5, entries_max=2, chunk_bytes_max=1)

SEARCHES = (
    search_check(
        "lab3d", "3.1", "chunks that are lost, late, or of another leader", "Paper: Raft, section 7",
        Search(_SCOPE, Plan((9, 2, 1, 1), deliveries=14, begin=Begin(proposes=True, late=True), calls_max=1_200), 2),
        points=17, must_meet={"looks": 200, "leaders": 10},
    ),
    search_check(
        "lab3d", "3.2", "what elections in a row do to what is in a snapshot", "Paper: Raft, sections 5.4 and 7",
        Search(_SCOPE, Plan((9, 1, 1, 1), deliveries=14, begin=Begin(proposes=True), last=lacks_applied, calls_max=1_200), 2),
        points=17, must_meet={"looks": 200, "leaders": 10},
    ),
)  # fmt: skip
