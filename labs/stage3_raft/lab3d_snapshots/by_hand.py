"""Test 2.2 of lab 3d: schedules by hand about snapshots: taken, sent in chunks, installed.

Of each, where it stands what must come of it.
"""

from labs.stage3_raft.by_hand import scripted_check

__all__ = ["BY_HAND"]

BY_HAND = scripted_check(
    {
        "chunk_comes_twice": "Paper: Raft, section 7",
        "commits_while_a_snapshot_is_saved": "Paper: Raft, section 7",
        "crash_while_a_snapshot_is_saved": "Paper: Raft, section 7",
        "late_snapshot": "Paper: Raft, section 7",
        "lost_chunk_comes_again": "Paper: Raft, section 7",
        "members_by_snapshot": "Paper: Raft, section 7",
        "new_member_gets_a_snapshot": "Paper: Raft, section 7",
        "snapshot_before_it_is_applied": "Paper: Raft, section 7",
        "snapshot_behind_the_log": "Paper: Raft, section 7",
        "snapshot_comes_again_after_a_crash": "Paper: Raft, section 7",
        "snapshot_in_a_later_term": "Paper: Raft, section 7",
        "vote_then_snapshot": "Paper: Raft, figure 2",
    }
)
