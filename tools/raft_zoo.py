"""Which lab of the Raft each of the shared wrong Rafts is a submission of: one lab each, whose tests must kill it by themselves.

That lab is the one that asks for the method which is wrong, where the tests of another one are not about it; and where no lab
asks for that method, the one whose tests are. `labs/stage3_raft/wrong` and `right` are the folders of all of them.
"""

import ast
from functools import cache
from pathlib import Path

from labs.grader.lab import LABS, Lab

__all__ = ["LAB_OF", "NOT_RIGHT_IN", "asked_for", "methods_of", "shared"]

_STAGE = LABS / "stage3_raft"
_ABOUT = {
    "lab3a": """
        any_request_stops_the_clock half_is_majority learner_campaigns old_timeout_now_obeyed old_votes_count own_term_as_last
        transfer_never_given_up transfer_outlives_reign
    """,
    "lab3b": """
        answer_credits_oldest asked_once asks_again_at_once change_at_one_blow commit_goes_back hint_one_too_high joint_by_union
        joint_never_left match_from_next match_of_last_reign match_on_rejection members_count_when_committed new_members_too_soon
        no_noop old_acks_count old_rounds_count read_before_own_commit read_by_a_round_under_way read_by_any_answer
        reads_never_given_back removed_leader_stays reply_by_index silent_learner_counts_as_caught_up stale_read
        superseded_members_stay transfer_during_change transfer_to_lagging two_changes_at_once voter_without_log
        wrong_follower_credited
    """,
    "lab3c": "leads_on_a_full_disk one_sync_for_all votes_while_damaged",
    "lab3d": """
        install_drops_tail install_keeps_old_members installed_before_log_begins lost_chunk_never_resent older_snapshot_wins
        reads_resend_chunks snapshot_forgets_members
    """,
}
"""Of those that are not a lab's by the method that is wrong: whose tests are about it."""
LAB_OF = {name: short for short, names in _ABOUT.items() for name in names.split()}
NOT_RIGHT_IN = {("lab3a", "eager")}
"""It campaigns without a question, and lab 3a asks for the question."""


def shared(lab: Lab, kind: str) -> list[Path]:
    """Those of a lab, in the folder that all labs of the Raft share. kind: wrong or right."""
    files = sorted((_STAGE / kind).glob("*.py"))
    if kind == "right":
        return [file for file in files if (lab.short, file.stem) not in NOT_RIGHT_IN]
    return [file for file in files if LAB_OF.get(file.stem, lab.short if methods_of(file) & asked_for(lab) else "") == lab.short]


@cache
def methods_of(file: Path) -> frozenset[str]:
    """What the class of a wrong Raft does in its own way."""
    (kind,) = [
        node
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Raft"
    ]
    return frozenset(node.name for node in kind.body if isinstance(node, ast.FunctionDef))


def asked_for(lab: Lab) -> frozenset[str]:
    """Names of the methods that are to be written."""
    return frozenset(blank.name.partition(".")[2] for blank in lab.blanks)
