"""Test 2.2 of lab 3a: schedules by hand about votes, terms, questions before a campaign, and who takes over.

Of each, where it stands what must come of it.
"""

from labs.stage3_raft.by_hand import scripted_check

__all__ = ["BY_HAND"]

BY_HAND = scripted_check(
    {
        "candidate_hears_the_leader": "Paper: Raft, section 5.2",
        "cut_off_node_comes_back": "Thesis: section 9.6",
        "follower_in_a_higher_term": "Paper: Raft, section 5.1",
        "hand_over_comes_to_nothing": "Thesis: section 3.10",
        "hand_over_ends_with_the_reign": "Thesis: section 3.10",
        "kept_votes_of_an_earlier_campaign": "Paper: Raft, section 5.2",
        "late_no_to_the_question": "Thesis: section 9.6",
        "late_timeout_now": "Thesis: section 3.10",
        "late_yes_to_the_question": "Thesis: section 9.6",
        "leader_hears_a_higher_term": "Paper: Raft, section 5.1",
        "learner_waits": "Thesis: section 4.2.1",
        "learner_waits_for_a_dead_leader": "Thesis: section 4.2.1",
        "longer_log_of_an_older_term": "Paper: Raft, section 5.4.1",
        "next_election": "Paper: Raft, section 5.2",
        "old_leader_writes": "Paper: Raft, section 5.1",
        "poor_candidate_again_and_again": "Paper: Raft, section 5.2",
        "poor_log_asks_first": "Thesis: section 9.6",
        "poor_log_campaigns": "Paper: Raft, section 5.4.1",
        "question_of_an_earlier_term": "Thesis: section 9.6",
        "quiet_times": "Paper: Raft, section 5.2",
        "removed_node_campaigns": "Paper: Raft, section 6",
        "second_campaign": "Paper: Raft, section 5.2",
        "two_halves": "Paper: Raft, section 5.2",
        "two_votes_after_restart": "Paper: Raft, section 5.2",
        "vote_comes_twice": "Paper: Raft, section 5.2",
        "vote_of_an_earlier_campaign": "Paper: Raft, section 5.2",
    }
)
