"""What the tests of the Raft labs share: those that are being written, and which of our Rafts they must find."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from labs.grader.grading import grade_of, in_a_process
from labs.grader.lab import LABS, Lab, find_lab
from labs.grader.result import Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.suite import Check
from labs.stage3_raft.lab3b_replication.schedules import replication_world
from labs.stage3_raft.lab3c_persistence.schedules import disk_world
from labs.stage3_raft.lab3d_snapshots.schedules import snapshot_world
from labs.stage3_raft.worlds import world_of
from mq.sim.group.world import GroupWorld

__all__ = ["DRAFTS", "Draft"]

_ZOO = LABS / "stage3_raft"


@dataclass(frozen=True)
class Draft:
    """first: the method that who only inherits lacks first. layers: what lies beside a student's class.

    wrong, right: of the zoo, those that must die by a sentence, and must live. world: a run of a seed. telling_chars: lines of
    the solution that are longer stand nowhere in the layers; 0 where given methods have such lines, too.
    """

    short: str
    first: str
    layers: tuple[str, ...]
    wrong: tuple[str, ...]
    world: Callable[[int, Make], GroupWorld]
    telling_chars: int = 30
    right: tuple[str, ...] = ("eager", "lazy", "plain", "saving_up")

    @cached_property
    def lab(self) -> Lab:
        return find_lab(self.short)

    @cached_property
    def sentences(self) -> list[Check]:
        return [check for check in self.lab.suite.checks if check.ring == 1]

    def outcomes(self, text: str, *, with_reference: bool = False, only: str = "") -> dict[str, Outcome]:
        """Of the sentences, across the border. only: of the one with this number."""
        mine = _submission(text)
        start = in_a_process()
        with Runner(self.lab, mine, Seeds(b"tests", mine.mark), start, with_reference=with_reference) as runner:
            runner.is_brief = True
            return {check.number: runner.outcome(check) for check in self.sentences if only in {"", check.number}}

    def failed(self, text: str, *, with_reference: bool = False) -> list[str]:
        """Which sentences do not hold."""
        found = self.outcomes(text, with_reference=with_reference)
        return [number for number, outcome in found.items() if not outcome.is_passed]

    def grade(self, text: str) -> Grade:
        """Of all tests, where the layers lack what the lab asks for."""
        mine = _submission(text)
        return grade_of(self.lab, mine, Seeds(b"tests", mine.mark))

    def of_the_zoo(self, kind: str, name: str) -> list[str]:
        """The sentences that do not hold for one of our wrong or right ones."""
        return self.failed((_ZOO / kind / f"{name}.py").read_text(encoding="utf-8"), with_reference=True)


def _submission(text: str) -> Submission:
    return Submission({"raft.py": text.encode()})


_WRONG_3A = (
    "any_request_stops_the_clock", "candidate_never_gives_way", "campaigns_in_same_term", "forgets_no_leader", "half_is_majority",
    "leader_not_protected", "learner_campaigns", "length_only_check", "no_hides_yes", "no_log_check", "old_pre_votes_count",
    "old_votes_count", "own_term_as_last", "pre_candidate_takes_term", "pre_vote_without_log_check", "pre_voter_takes_term",
    "pre_votes_count", "reply_term_ignored", "term_not_saved", "timer_never_random", "vote_before_fsync", "vote_kept_in_new_term",
    "vote_not_saved", "votes_for_everyone", "votes_not_reset", "votes_per_reply", "wins_by_most_answers",
)  # fmt: skip
# Those that are about copying, counting and quorums. `reply_by_index` is what a host makes of an index, and dies in the world
# alone; `commit_by_new_alone`, `commit_by_old_alone` and `quorum_check_of_new_alone` ask for a change of members,
# `one_sync_for_all`, `leads_on_a_full_disk` and `goes_on_after_failed_disk` for disks: those are other labs'.
_WRONG_3B = (
    "ack_before_fsync", "acknowledges_own_end", "always_truncate", "answer_credits_oldest", "applies_what_is_durable",
    "asked_once", "asks_again_at_once", "candidate_never_gives_way", "commit_by_one_too_few", "commit_goes_back",
    "commit_not_clamped", "commit_to_own_end", "figure8", "follow_clears_vote", "half_is_majority", "heard_once_is_enough",
    "heartbeat_skips_check", "heartbeats_unheard", "hint_one_too_high", "leader_counts_early", "leads_in_a_term_it_heard_of",
    "leads_without_quorum", "learner_counts", "lost_request_never_noticed", "match_from_next", "match_of_last_reign",
    "match_on_rejection", "needs_all_followers", "never_truncate", "next_never_backs_up", "no_noop", "no_prev_term",
    "old_acks_count", "old_leader_obeyed", "promise_waits_for_last_but_one", "repeats_at_once", "reply_term_ignored",
    "window_never_freed", "wrong_follower_credited",
)  # fmt: skip
# Those of the README's table of disks die here, all eight; of that of votes and terms, what is about keeping them. Others die by
# the way, and what is wrong with snapshots that are not on disk (`installed_before_log_begins`, `snapshot_reply_before_durable`,
# `cut_before_snapshot`) dies elsewhere: with the snapshots.
_WRONG_3C = (
    "ack_before_fsync", "any_other_term_taken", "applies_what_is_durable", "asks_before_save", "commit_by_one_too_few",
    "follow_clears_vote", "goes_on_after_failed_disk", "leader_counts_early", "leads_on_a_full_disk", "match_from_next",
    "old_leader_obeyed", "one_sync_for_all", "promise_waits_for_last_but_one", "repeats_at_once", "reply_term_ignored",
    "term_not_saved", "vote_before_fsync", "vote_kept_in_new_term", "vote_not_saved", "votes_while_damaged",
)  # fmt: skip
# All that are wrong about snapshots: none of them needs more than a sentence.
_WRONG_3D = (
    "chunks_anywhere", "chunks_of_two_leaders", "compacts_to_commit", "cut_before_snapshot", "install_drops_tail",
    "install_keeps_log", "install_keeps_old_members", "installed_before_log_begins", "late_chunk_replaces_newer",
    "lost_chunk_never_resent", "older_snapshot_wins", "reads_resend_chunks", "snapshot_forgets_members", "snapshot_of_commit",
    "snapshot_of_own_term", "snapshot_reply_before_durable",
)  # fmt: skip

DRAFTS = (
    # `eager` campaigns without a question: right as well, but lab 3a asks for the question.
    Draft(
        "lab3a", "Election._restart_timer", ("mq/raft/election.py",), _WRONG_3A, world_of, right=("lazy", "plain", "saving_up")
    ),
    Draft("lab3b", "Replication._advance_commit", ("mq/raft/replication.py",), _WRONG_3B, replication_world, telling_chars=0),
    Draft(
        "lab3c",
        "NodeState.apply_to",
        ("mq/raft/persistence.py", "mq/raft/replication.py", "mq/raft/state.py"),
        _WRONG_3C,
        disk_world,
        telling_chars=40,
    ),
    Draft("lab3d", "Snapshotting.take_snapshot", ("mq/raft/snapshotting.py",), _WRONG_3D, snapshot_world),
)
