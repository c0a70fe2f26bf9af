"""Test 2.2 of lab 3c: schedules by hand about what is on a disk, and what was promised before it was.

Of each, where it stands what must come of it.
"""

from labs.stage3_raft.by_hand import scripted_check

__all__ = ["BY_HAND"]

BY_HAND = scripted_check(
    {
        "campaigns_before_its_disk": "Paper: Raft, figure 2",
        "disk_fails": "Thesis: section 3.8",
        "disk_is_full": "Thesis: section 3.8",
        "follower_before_its_disk": "Paper: Raft, figure 2",
        "follower_in_a_higher_term": "Paper: Raft, section 5.1",
        "leader_before_its_disk": "Thesis: section 10.2.1",
        "log_is_damaged": "Thesis: section 3.8",
        "one_of_two_writes": "Thesis: section 10.2.1",
        "repeated_while_writing": "Thesis: section 10.2.1",
        "snapshot_before_it_is_applied": "Paper: Raft, section 7",
        "two_votes_after_restart": "Paper: Raft, figure 2",
        "vote_and_restart_under_a_leader": "Paper: Raft, figure 2",
        "vote_lost_with_the_power": "Paper: Raft, figure 2",
        "vote_then_entries": "Paper: Raft, figure 2",
        "vote_then_snapshot": "Paper: Raft, figure 2",
    }
)
