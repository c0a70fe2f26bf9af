"""Test 2.2 of lab 3b: schedules by hand about copying and committing, and what rests on it: reads, members, handing over.

Of each, where it stands what must come of it.
"""

from labs.stage3_raft.by_hand import scripted_check

__all__ = ["BY_HAND"]

BY_HAND = scripted_check(
    {
        "answer_comes_twice_among_five": "Paper: Raft, section 5.3",
        "answer_to_an_earlier_process": "Thesis: section 6.4",
        "answer_to_the_first_of_two": "Paper: Raft, section 5.3",
        "candidate_hears_the_leader": "Paper: Raft, section 5.2",
        "change_heard_by_the_new_alone": "Paper: Raft, section 6",
        "change_heard_by_the_old_alone": "Paper: Raft, section 6",
        "change_is_superseded": "Paper: Raft, section 6",
        "commit_ahead_of_agreement": "Paper: Raft, section 5.3",
        "commit_ahead_of_log": "Paper: Raft, section 5.3",
        "conflicting_tail": "Paper: Raft, section 5.3",
        "entry_of_another_leader": "Paper: Raft, section 8",
        "figure_8": "Paper: Raft, section 5.4.2",
        "first_request_is_lost": "Paper: Raft, section 5.3",
        "hand_over_to_one_who_lags": "Thesis: section 3.10",
        "hand_over_while_members_change": "Thesis: section 3.10",
        "heartbeat_to_a_stranger": "Paper: Raft, section 5.3",
        "hint_that_only_may_agree": "Paper: Raft, section 5.3",
        "late_request": "Paper: Raft, section 5.3",
        "leader_alone": "Thesis: section 6.2",
        "leader_cut_off_is_read": "Thesis: section 6.4",
        "leader_is_removed": "Paper: Raft, section 6",
        "leads_again": "Paper: Raft, section 5.3",
        "learner_acknowledges": "Thesis: section 4.2.1",
        "learner_that_is_gone": "Thesis: section 4.2.1",
        "members_after_a_change": "Paper: Raft, section 6",
        "new_leader_is_read": "Thesis: section 6.4",
        "nobody_writes": "Paper: Raft, section 8",
        "old_acknowledgement": "Paper: Raft, section 5.1",
        "old_answer_to_a_heartbeat": "Thesis: section 6.4",
        "old_leader_writes": "Paper: Raft, section 5.1",
        "old_members_are_silent": "Thesis: section 6.2",
        "one_follower_is_down": "Thesis: section 6.2",
        "quiet_times": "Paper: Raft, section 5.2",
        "read_when_a_reign_ends": "Thesis: section 6.4",
        "request_is_lost": "Paper: Raft, section 5.3",
        "small_window": "Thesis: section 10.2.1",
        "stranger_as_voter": "Thesis: section 4.2.1",
        "tail_is_acknowledged": "Paper: Raft, section 5.3",
        "two_changes": "Paper: Raft, section 6",
    }
)
