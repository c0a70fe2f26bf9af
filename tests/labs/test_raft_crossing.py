"""A Raft behind the grader's border: the same runs as here, line by line, and no way past the world's own log and checkers."""

from dataclasses import replace
from pathlib import Path

import pytest

from labs.grader.grading import grade_of, in_a_process
from labs.grader.lab import LABS, Lab, find_lab
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.suite import Case, Check, Run, Suite
from labs.stage3_raft.lone import Told
from labs.stage3_raft.remote import raft_seam
from labs.stage3_raft.worlds import world_case, world_of
from mq.raft.node import RaftNode

FOLDER = LABS / "stage3_raft"
REFERENCE = "from mq.raft.node import RaftNode as Raft\n"
SEEDS = (1, 2, 3, 4, 5, 7)
SEAM = raft_seam("Raft", "raft")


class _RaftLab(Lab):
    """Not a lab yet: one test of seeded schedules, for the border alone."""

    checks: tuple[Check, ...]
    __slots__ = ("checks",)

    def __init__(self, *checks: Check) -> None:
        files = {"raft.py": "mq/raft/node.py"}
        super().__init__("lab3_border", FOLDER, "The border", "1", "", files, ())
        object.__setattr__(self, "checks", checks)

    @property
    def runs(self) -> None:
        """It has cases."""

    @property
    def seam(self):  # type: ignore[no-untyped-def]
        return SEAM

    @property
    def suite(self) -> Suite:
        return Suite(self.checks)


def _cases(_seeds: Seeds) -> list[Case]:
    return [world_case(seed) for seed in SEEDS]


CHECK = Check("2.1", "faults by a seed", "paper, section 5", _cases, must_meet={"elections": 6, "crashes": 6, "commits": 50})
LAB = _RaftLab(CHECK)


def outcome_of(text: str, check: Check = CHECK) -> Outcome:
    """Of one check, across the border, with the reference at hand for who derives from it."""
    submission = Submission({"raft.py": text.encode()})
    with Runner(_RaftLab(check), submission, Seeds(b"tests", submission.mark), in_a_process(), with_reference=True) as runner:
        return runner.outcome(check)


def wrong(name: str) -> str:
    return (FOLDER / "wrong" / f"{name}.py").read_text(encoding="utf-8")


def told_once(trace: str) -> list[str]:
    """Without what a node says of its members when nothing changed."""
    members: dict[str, str] = {}
    lines = []
    for line in trace.splitlines():
        _, node, event, *details = line.split(maxsplit=3)
        if event == "members" and members.get(node) == details[0]:
            continue
        if event == "members":
            members[node] = details[0]
        lines.append(line)
    return lines


def test_the_reference_leaves_the_same_trace_on_both_sides_of_the_border() -> None:
    traces: dict[int, str] = {}

    def keeps(seed: int) -> Case:
        def play(make: Make, _steps: tuple[object, ...], _run: Run) -> None:
            world = world_of(seed, make)
            world.run()
            traces[seed] = world.trace.to_text()

        return Case(str(seed), (), play)

    outcome = outcome_of(REFERENCE, replace(CHECK, cases=lambda _seeds: [keeps(seed) for seed in SEEDS], must_meet={}))
    assert outcome.is_passed, outcome
    for seed in SEEDS:
        here = world_of(seed, RaftNode)
        here.run()
        assert told_once(here.trace.to_text()) == told_once(traces[seed])


def test_the_reference_gets_all_points_and_the_grade_is_made_like_any_other(tmp_path: Path) -> None:
    submission = Submission({"raft.py": REFERENCE.encode()})
    grade = grade_of(LAB, submission, Seeds(b"tests", submission.mark), folder=tmp_path, with_reference=True)
    assert (grade.score, grade.reason) == (grade.max_score, "")
    assert "2.1" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_right_one_that_is_written_differently_passes() -> None:
    outcome = outcome_of((FOLDER / "right" / "plain.py").read_text(encoding="utf-8"))
    assert outcome.is_passed, outcome


WRONG = {
    "figure8": "A leader commits by counting copies only what is of its own term: node 1 leads term 3, but it moved its commit",
    "votes_for_everyone": "A node votes for at most one candidate in a term: node 3 voted for node 2 in term 2, but",
    "ack_before_fsync": "Nothing is promised before it is durable: a term, a vote, a candidate's log, an acknowledged entry: ",
}


@pytest.mark.parametrize(("name", "sentence"), WRONG.items(), ids=list(WRONG))
def test_a_wrong_one_dies_by_the_promise_that_it_breaks_and_the_end_of_the_run_is_told(name: str, sentence: str) -> None:
    outcome = outcome_of(wrong(name))
    assert not outcome.is_passed
    assert outcome.failure is not None
    assert outcome.failure.sentence.startswith(sentence)
    assert outcome.failure.section.startswith("Paper: Raft, ")
    assert outcome.failure.story[-1].endswith("<== here it broke")
    assert outcome.replay == f"lab3:2.1:{outcome.seed}"


HIDES_WRITES = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _finish(self):
        self.log.storage.wrote.clear()
        return super()._finish()
"""
INVENTS_A_SAVE = """
from mq.core.entry import Appended
from mq.raft.node import RaftNode
from mq.raft.output import Output

class Raft(RaftNode):
    def tick(self):
        super().tick()
        return Output(saves=(Appended((), (), 1000),))
"""
SWALLOWS = """
from mq.raft.node import RaftNode
from mq.raft.output import NOTHING

class Raft(RaftNode):
    def _feed(self, peer):
        raise KeyError(peer.node_id)

    def step(self, message):
        try:
            return super().step(message)
        except KeyError:
            return NOTHING
"""
TELLS_NOBODY = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _meet_term(self, message):
        if message.term <= self.term:
            return super()._meet_term(message)
        self._enter_term(message.term)
        return True
"""
PUTS_OVER_ITS_LOG = """
from mq.raft.node import RaftNode
from mq.sim.group.light_log import LightLog

LightLog._check = lambda *anything: None

class Raft(RaftNode):
    def _accept(self, after_index, entries):
        super()._accept(after_index + 1, entries)
"""
PUTS_WRONG = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _accept(self, after_index, entries):
        super()._accept(after_index + 1, entries)
"""
IS_NO_MESSAGE = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _tell(self, message):
        super()._tell(tuple(message))
"""
RAISES = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def on_vote_reply(self, message):
        self.vots[message.sender] = True
"""
LEAVES = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _become_leader(self):
        import os
        os._exit(0)
"""
BROKEN = {
    "hides what it wrote": (HIDES_WRITES, "which the log did not plan just now"),
    "invents a save": (INVENTS_A_SAVE, "`tick` returned an Output whose `saves` hold 1000, which the log did not plan just now"),
    "puts over its log": (
        PUTS_OVER_ITS_LOG,
        "must not raise here: StateError: entry 1 cannot stand behind 1: the log holds 1 to 0, raised by `step`",
    ),
    "is no message": (IS_NO_MESSAGE, "`output.send[0]` is tuple, expected VoteRequest or VoteReply or AppendRequest"),
    "puts what does not fit": (PUTS_WRONG, "the log holds 1 to 0, raised by `step` (raft.py, line 6, in _accept)"),
    "raises": (RAISES, "AttributeError: 'Raft' object has no attribute 'vots' (raft.py, line 6, in on_vote_reply)"),
    "leaves": (LEAVES, "the process ended in the middle of it (exit status 0)"),
}


@pytest.mark.parametrize(("text", "sentence"), BROKEN.values(), ids=list(BROKEN))
def test_one_that_breaks_or_cheats_gets_nothing_and_is_told_why(text: str, sentence: str) -> None:
    outcome = outcome_of(text)
    assert not outcome.is_passed
    assert outcome.failure is not None
    assert sentence in outcome.failure.sentence


def test_one_that_swallows_what_it_raises_is_told_so_and_not_where_the_test_stopped() -> None:
    check = next(check for check in find_lab("lab3b").suite.checks if check.number == "1.50")
    outcome = outcome_of(SWALLOWS, check)
    assert outcome.failure is not None
    assert "StopIteration" not in outcome.failure.sentence
    assert "hands out write 2, which is on the disk already" in outcome.failure.found
    assert "did something raise there, and was that swallowed?" in outcome.failure.found


def test_what_a_host_was_told_stands_as_words_in_a_sentence() -> None:
    check = next(check for check in find_lab("lab3a").suite.checks if check.number == "1.2")
    outcome = outcome_of(TELLS_NOBODY, check)
    assert outcome.failure is not None
    assert outcome.failure.found == "it is told follower of 3 in term 3"
    assert f"{Told(['a', 'b', 'c'])[1:]}" == "b, then c"


def test_one_that_does_nothing_gets_nothing() -> None:
    outcome = outcome_of("from mq.raft.node import RaftNode\n\nclass Raft(RaftNode):\n    def _time_out(self):\n        pass\n")
    assert not outcome.is_passed
