"""Rafts written from the paper and the students' repository alone: what is right is not refused, what is wrong is found."""

from pathlib import Path

import pytest

from tests.labs.raft_drafts import DRAFTS, Draft

FOLDER = Path(__file__).parent / "from_the_texts"
DRAFT_OF = {draft.short: draft for draft in DRAFTS}
WHOLE = {f"{hand}_{short}" for hand in ("plain", "compact") for short in DRAFT_OF}
RIGHT = sorted(file.stem for file in FOLDER.glob("*.txt"))
FOUND_BY = {
    "lab3a_revote_unsaved": "1.15",
    "lab3a_transfer_unsaid": "1.26",
    "lab3a_own_vote_at_once": "1.27",
    "lab3a_turn_before_term": "1.22",
    "lab3a_told_old_term": "1.2",
    "lab3a_votes_count_as_yes": "1.42",
    "lab3a_well_by_timeout": "1.44",
    "lab3a_lower_term_resets": "1.23",
    "lab3a_refused_by_vote_resets": "1.23",
    "lab3a_question_no_resets": "1.23",
    "lab3a_question_yes_resets": "1.23",
    "lab3a_leader_protects_itself_from_transfer": "1.35",
    "lab3a_transfer_ignores_vote": "1.13",
    "lab3a_transfer_ignores_log": "1.11",
    "lab3a_late_vote_is_yes": "1.42",
    "lab3a_leader_protects_nobody": "1.45",
    "lab3a_leader_says_yes": "1.45",
    "lab3a_leader_silent_to_old_question": "1.45",
    "lab3a_mute_campaigns": "1.19",
    "lab3a_old_hand_over_unanswered": "1.3",
    "lab3a_no_names_asked_term": "1.7",
    "lab3a_yes_about_any_later_term": "1.41",
    "lab3a_only_followers_vote": "1.38",
    "lab3a_refusal_unsaved": "1.15",
    "lab3a_old_leader_in_new_term": "1.2",
    "lab3a_long_log_may_lack_one": "1.7",
    "lab3a_asks_each_tick": "1.46",
    "lab3a_gives_up_at_first_no": "1.31",
    "lab3a_deaf_while_asking": "1.43",
    "lab3a_candidate_says_no": "1.40",
    "lab3a_known_voters_alone": "1.13",
    "lab3a_learner_protects_nobody": "1.5",
    "lab3a_asks_twice": "1.39",
    "lab3a_one_yes_and_time_are_enough": "1.46",
    "lab3a_question_ends_asking": "1.38",
    "lab3b_hint_own_end": "1.33",
    "lab3b_members_count": "1.46",
    "lab3b_probe_any": "1.17",
    "lab3b_reject_at_match": "1.17",
    "lab3b_read_counts_as_sent": "1.24",
    "lab3b_snapshot_counts_as_sent": "1.24",
    "lab3b_answers_newest_round": "1.35",
    "lab3b_bytes_ignored": "1.14",
    "lab3b_advance_instead_of_matched": "1.47",
    "lab3b_learners_get_no_heartbeat": "1.19",
    "lab3b_no_look_without_option": "1.48",
    "lab3b_was_active_sticky": "1.48",
    "lab3b_was_active_forgotten": "1.48",
    "lab3b_refusal_ends_snapshot": "1.23",
    "lab3b_refusal_ends_snapshot2": "1.23",
    "lab3b_no_beat_under_fetch": "1.24",
    "lab3b_no_beat_under_snapshot": "1.24",
    "lab3b_heartbeat_yes_told": "1.40",
    "lab3b_refusal_told": "1.40",
    "lab3b_round_after": "1.50",
    "lab3b_save_instead_of_accept": "1.49",
    "lab3c_entries_wipe_vote": "1.13",
    "lab3c_follower_wipes_vote": "1.13",
    "lab3c_vote_kept_till_leader": "1.33",
    "lab3c_state_written_again": "1.14",
    "lab3c_applies_when_idle": "1.11",
    "lab3c_own_copy_when_idle": "1.27",
    "lab3c_chunk_answer_unsaved": "1.15",
    "lab3d_members_of_commit": "1.4",
    "lab3d_fetched_any_term": "1.15",
    "lab3d_fetched_any_at": "1.17",
    "lab3d_peer_snapshot_match": "1.19",
    "lab3d_wants_of_newest": "1.23",
    "lab3d_fetched_any_snapshot": "1.24",
    "lab3d_none_of_any_snapshot": "1.24",
    "lab3d_old_news_stays": "1.35",
    "lab3d_old_news_untold": "1.35",
    "lab3d_installed_told_at_once": "1.40",
    "lab3d_new_log_without_vote": "1.46",
    "lab3d_new_log_with_unsaved_vote": "1.46",
    "lab3d_chunk_answer_unheard": "1.16",
    "lab3d_late_installed_ends_sending": "1.19",
    "lab3d_takes_none_meanwhile": "1.35",
    "lab3d_unneeded_told_at_once": "1.40",
    "lab3d_chunk_without_bytes": "1.14",
    "lab3d_never_goes_back": "1.18",
    "lab3d_log_stays_while_sending": "1.19",
    "lab3d_log_stays_while_one_comes": "1.35",
}
"""By the name of the wrong one, the sentence that does not hold."""


def draft_of(name: str) -> Draft:
    (short,) = [part for part in name.split("_") if part in DRAFT_OF]
    return DRAFT_OF[short]


def text_of(file: str) -> str:
    return (FOLDER / f"{file}.txt").read_text(encoding="utf-8")


def test_all_that_were_handed_in_are_asked() -> None:
    assert set(RIGHT) > WHOLE
    assert sorted(file.stem for file in (FOLDER / "found").iterdir()) == sorted(FOUND_BY)


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_no_sentence_refuses_it(name: str) -> None:
    assert draft_of(name).failed(text_of(name)) == []


@pytest.mark.parametrize("name", FOUND_BY)
def test_a_wrong_one_is_found_by_a_sentence_that_says_so(name: str) -> None:
    draft, number = draft_of(name), FOUND_BY[name]
    (check,) = [one for one in draft.sentences if one.number == number]
    failure = draft.outcomes(text_of(f"found/{name}"), only=number)[number].failure
    assert failure is not None
    sentence = check.name.removesuffix(f" ({check.section})")
    assert failure.promise.lower().startswith(sentence.lower()), "it fails, and not because of what it promises"
