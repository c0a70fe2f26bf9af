"""Test 2.2 of the Raft labs: schedules by hand, given to a Raft in another process."""

from collections.abc import Sequence

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import find_lab
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.suite import Check, PromiseBrokenError, Run
from labs.stage3_raft.by_hand import FOLDERS, file_of, scripted_case
from labs.stage3_raft.points import in_100_points
from labs.stage3_raft.scripted import played
from labs.stage3_raft.watching import KEPT
from mq.core.entry import Entry, HardState
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.raft.progress import Progress
from tests.labs.raft_drafts import DRAFTS, Draft
from tools.killers import LAB, class_of

of_each = pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.short)
NAMES = sorted(file.stem for folder in FOLDERS for file in folder.glob("*.txt"))
NEW = sorted(file.stem for file in FOLDERS[1].glob("*.txt"))
RIGHT = ("eager", "lazy", "plain", "saving_up")
NOT_OF_A_LAB = {"chunk_is_lost", "crash_while_chunks_are_saved"}
"""They give a leader four or six ticks to send a chunk again: `..._again` in the labs' own folder are the same with twenty."""


class EntriesWipeVote(RaftNode):
    """Whatever is written with entries names the term, and no vote."""

    __slots__ = ()

    def _save(self, after_index: int, entries: Sequence[Entry]) -> None:
        state = HardState(self.term, self.vote if self._is_unsaved else None)
        self._note_save(self.log.append(after_index, entries, state))


class NewLogWithoutVote(RaftNode):
    """The log that begins anew behind a snapshot knows of no vote."""

    __slots__ = ()

    def _restart_log(self, snapshot: Snapshot) -> None:
        self._note_save(self.log.reset(snapshot.last, HardState(self.term, None)))


KILLED_BY: dict[str, str | type[RaftNode]] = {
    "answer_to_an_earlier_process": "old_rounds_count",
    "hand_over_ends_with_the_reign": "transfer_outlives_reign",
    "lost_chunk_comes_again": "lost_chunk_never_resent",
    "old_members_are_silent": "quorum_check_of_new_alone",
    "snapshot_comes_again_after_a_crash": "snapshot_reply_before_durable",
    "vote_then_entries": EntriesWipeVote,
    "vote_then_snapshot": NewLogWithoutVote,
}


def check_of(draft: Draft) -> Check:
    found = draft.lab.suite.check("2.2")
    assert found is not None
    return found


def names_of(draft: Draft) -> list[str]:
    return [case.key for case in check_of(draft).cases(Seeds())]


def outcome_of(short: str, text: str) -> Outcome:
    """Of test 2.2, across the border."""
    lab, mine = find_lab(short), Submission({"raft.py": text.encode()})
    check = lab.suite.check("2.2")
    assert check is not None
    with Runner(lab, mine, Seeds(b"tests", mine.mark), in_a_process(), with_reference=True) as runner:
        return runner.outcome(check)


def text_of(kind: str, name: str) -> str:
    return (LAB / kind / f"{name}.py").read_text(encoding="utf-8")


def test_each_schedule_is_of_a_lab_and_is_there_once() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 80
    assert {name for draft in DRAFTS for name in names_of(draft)} == set(NAMES) - NOT_OF_A_LAB


@pytest.mark.parametrize("name", NEW)
def test_a_schedule_of_the_labs_alone_kills_a_wrong_raft_and_no_right_one(name: str) -> None:
    text = file_of(name).read_text(encoding="utf-8")
    assert played(text).sentence is None
    assert [right for right in RIGHT if played(text, class_of("right", right)).sentence] == []
    killed = KILLED_BY[name]
    assert played(text, class_of("wrong", killed) if isinstance(killed, str) else killed).sentence


@pytest.mark.parametrize(("name", "node", "other"), [("vote_then_entries", 1, 1), ("vote_then_snapshot", 1, 2)])
def test_a_vote_that_a_later_write_takes_off_the_disk_is_told_as_such(name: str, node: int, other: int) -> None:
    killed = KILLED_BY[name]
    assert not isinstance(killed, str)
    broken = played(file_of(name).read_text(encoding="utf-8"), killed).broken
    assert broken is not None
    assert (broken.promise, broken.section) == (KEPT.text, KEPT.section)
    assert broken.expected == f"the disk of node {node} held its vote for {other} in term 2"
    assert broken.found == "in the same term it holds no vote"


OF_EACH_LAB = [(draft, name) for draft in DRAFTS for name in draft.right]


@pytest.mark.parametrize(("draft", "name"), OF_EACH_LAB, ids=lambda one: getattr(one, "short", one))
def test_a_right_raft_of_another_make_loses_no_point(draft: Draft, name: str) -> None:
    make, run, check = class_of("right", name), Run(), check_of(draft)
    for case in check.cases(Seeds()):
        case.play(make, case.steps, run)
    assert all(run.met[what] >= count for what, count in check.must_meet.items())


class RepeatsLate(RaftNode):
    """Sends a chunk that nobody answers again after five rounds of heartbeats; ours does after two."""

    __slots__ = ()

    def _want_chunk(self, peer: Progress) -> None:
        super()._want_chunk(peer)
        peer.again_in_ticks = 5 * self.options.heartbeat_ticks if peer.snapshot is not None else peer.again_in_ticks


def test_who_is_slow_to_send_a_lost_chunk_again_loses_no_point() -> None:
    for case in check_of(DRAFTS[3]).cases(Seeds()):
        case.play(RepeatsLate, case.steps, Run())
    with pytest.raises(PromiseBrokenError, match="state of node 3"):
        scripted_case("chunk_is_lost", "it").play(RepeatsLate, (), Run())


def test_a_schedule_that_says_nothing_about_a_raft_is_not_met_and_no_failure() -> None:
    run = Run()
    scripted_case("chunk_is_lost", "it").play(class_of("right", "lazy"), (), run)
    assert run.met == {"schedules that say nothing about this Raft": 1}
    run = Run()
    scripted_case("chunk_is_lost", "it").play(RaftNode, (), run)
    assert run.met["schedules played to their end"] == 1


SILENT = """from mq.raft.node import RaftNode
from mq.raft.progress import Progress

class Raft(RaftNode):
    def campaign(self):
        return self._finish()
"""


def test_who_sends_nothing_plays_nothing_to_its_end() -> None:
    outcome = outcome_of("lab3b", SILENT)
    assert not outcome.is_passed


@of_each
def test_the_points_are_100(draft: Draft) -> None:
    assert sum(check.points for check in draft.lab.suite.checks) == 100
    assert all(check.points > 0 for check in draft.lab.suite.checks)


def test_the_schedules_share_what_sentences_and_searches_leave() -> None:
    def worth(number: str, points: int) -> Check:
        return Check(number, "it", "", lambda _seeds: (), points=points)

    made = in_100_points([worth("1.1", 40)], [worth("2.1", 3), worth("2.2", 2)], [worth("3.1", 34)])
    assert [check.points for check in made] == [40, 15, 11, 34]
    with pytest.raises(ValueError, match="1 points are left for 2 tests"):
        in_100_points([worth("1.1", 99)], [worth("2.1", 3), worth("2.2", 2)])


def test_the_reference_passes_across_the_border_and_each_is_played_to_its_end() -> None:
    outcome = outcome_of("lab3d", "from mq.raft.node import RaftNode\n\nclass Raft(RaftNode):\n    __slots__ = ()\n")
    assert outcome.is_passed, outcome
    assert outcome.schedules == len(names_of(DRAFTS[3]))


def test_a_wrong_one_is_told_the_promise_the_facts_the_line_and_what_led_to_it() -> None:
    outcome = outcome_of("lab3c", text_of("wrong", "vote_not_saved"))
    assert outcome.replay == "lab3c:2.2:two_votes_after_restart"
    failure = outcome.failure
    assert failure is not None
    assert failure.promise == "In each term there is at most one leader"
    assert failure.expected == "node 1 leads term 1"
    assert failure.found.startswith("node 3 leads it, too (after line ")
    assert failure.section == "Paper: Raft, figure 3"
    assert failure.story[0].startswith("# Node 2 votes for 1, starts anew")
    assert failure.story[-1].endswith("n3: hears yes from n2; is a leader in term 1; log 1   <== here it broke")


def test_what_a_schedule_expects_is_told_with_its_section() -> None:
    outcome = outcome_of("lab3b", text_of("wrong", "leads_without_quorum"))
    assert outcome.failure is not None
    assert (outcome.failure.section, outcome.failure.expected) == ("Thesis: section 6.2", "role of node 1 is follower")


RAISES = """from mq.raft.node import RaftNode
from mq.raft.progress import Progress

class Raft(RaftNode):
    def on_vote_reply(self, message):
        self.vots[message.sender] = True
"""
NO_ARGUMENT = """from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.raft.progress import Progress

class Raft(RaftNode):
    def campaign(self):
        raise IllegalArgumentError("cannot be done")
"""


@pytest.mark.parametrize(("text", "told"), [(RAISES, "'Raft' object has no attribute 'vots'"), (NO_ARGUMENT, "cannot be done")])
def test_what_a_raft_raises_is_a_failure_whatever_it_is(text: str, told: str) -> None:
    outcome = outcome_of("lab3c", text)
    assert outcome.failure is not None
    assert told in outcome.failure.sentence


def test_a_schedule_ends_with_its_line_its_facts_and_its_story() -> None:
    text = file_of("figure_8").read_text(encoding="utf-8")
    kept = played(text)
    assert (kept.sentence, kept.number, kept.broken) == (None, len(text.splitlines()), None)
    ended = played(text, class_of("wrong", "figure8"))
    assert ended.sentence is not None
    assert ended.sentence.startswith(f"line {ended.number}, {ended.line!r}: ")
    assert ended.broken is not None
    assert ended.broken.promise == "no two nodes ever apply different entries for the same index"
    assert f"{ended.number:>3}: {ended.line}" in ended.story
    unsaid = played("group 1 2 3\ndeliver 1>2")
    assert (unsaid.is_unsaid, unsaid.number, unsaid.broken) == (True, 2, None)


def test_a_schedule_that_is_nowhere_is_told() -> None:
    with pytest.raises(FileNotFoundError, match="there is no schedule 'nothing'"):
        file_of("nothing")


def test_a_broken_promise_is_raised_as_one_in_this_process_too() -> None:
    with pytest.raises(PromiseBrokenError) as raised:
        scripted_case("leader_alone", "somewhere").play(class_of("wrong", "leads_without_quorum"), (), Run())
    assert raised.value.section == "somewhere"
