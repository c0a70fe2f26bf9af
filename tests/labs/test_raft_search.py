"""Ring 3 of the Raft labs: what a search finds across the border, what it spares, what it takes, and who cheats."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import LABS
from labs.grader.met import NOT_MET
from labs.grader.report import failure_lines
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.same_answers import SAME_ANSWERS
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage3_raft.inside import HostedRaft
from labs.stage3_raft.lab3a_election.search import SEARCHES as IN_3A
from labs.stage3_raft.lab3b_replication.search import SEARCHES as IN_3B
from labs.stage3_raft.lab3c_persistence.search import SEARCHES as IN_3C
from labs.stage3_raft.lab3d_snapshots.search import SEARCHES as IN_3D
from labs.stage3_raft.searched_group import SearchedGroup
from labs.stage3_raft.searching import SAME_CALLS, Search, scope_of
from labs.stage3_raft.talks import Talks
from mq.raft.node import RaftNode
from mq.sim.load_raft import load_raft
from tests.labs.test_raft_crossing import REFERENCE, _RaftLab, wrong

FOLDER = LABS / "stage3_raft"
ALL = {f"3{lab} {check.number}": check for lab, of in zip("abcd", (IN_3A, IN_3B, IN_3C, IN_3D), strict=True) for check in of}
SEED = 4
READABLE_STEPS = 25


def outcome_of(text: str, check: Check, seed: int = SEED) -> Outcome:
    """Across the border, of one seed."""
    assert check.by_seed is not None
    cases = [check.by_seed(seed)]
    submission = Submission({"raft.py": text.encode()})
    lab = _RaftLab(replace(check, cases=lambda _seeds: cases))
    with Runner(lab, submission, Seeds(b"tests", submission.mark), in_a_process(), with_reference=True) as runner:
        return runner.outcome(lab.checks[0])


def search_of(by: str) -> Search:
    """What a test tries."""
    check = ALL[by]
    assert check.by_seed is not None
    search = check.by_seed(SEED).play.func.__self__  # type: ignore[attr-defined]  # it is a partial of one
    assert isinstance(search, Search)
    return search


def died_by(make: Make, check: Check, seed: int) -> str:
    """Which promise broke, in this process; "" for none."""
    assert check.by_seed is not None
    case, run = check.by_seed(seed), Run()
    try:
        case.play(make, case.steps, run)
    except PromiseBrokenError as broken:
        return broken.promise
    return ""


# --- what it finds


def test_figure_8_dies_across_the_border_and_its_story_can_be_read() -> None:
    outcome = outcome_of(wrong("figure8"), ALL["3b 3.1"])
    failure = outcome.failure
    assert failure is not None
    assert failure.promise == "An entry that was committed in a term is in the logs of the leaders of all later terms"
    assert "committed in term" in failure.expected
    assert "without it" in failure.found
    assert failure.section == "Leader Completeness; Paper: Raft, section 5.4"
    assert 10 < len(failure.story) <= READABLE_STEPS
    assert failure.is_pictured
    assert outcome.replay == f"lab3:3.1:{SEED}"


@pytest.mark.parametrize("seed", range(5))
def test_figure_8_dies_whatever_the_seed(seed: int) -> None:
    make = load_raft(f"{FOLDER}/wrong/figure8.py:Raft")
    assert died_by(make, ALL["3b 3.1"], seed).startswith("An entry that was committed in a term")


STRIKING = {
    "votes_for_everyone": ("3a 3.1", "In each term there is at most one leader"),
    "old_votes_count": ("3a 3.1", "In each term there is at most one leader"),
    "vote_before_fsync": ("3c 3.1", "In each term there is at most one leader"),
    "vote_not_saved": ("3c 3.1", "In each term there is at most one leader"),
    "ack_before_fsync": ("3c 3.2", "An entry that was committed in a term is in the logs of the leaders of all later terms"),
    "acknowledges_own_end": ("3b 3.1", "An entry that was committed in a term is in the logs of the leaders of all later terms"),
}


@pytest.mark.parametrize(("name", "by", "promise"), [(name, *by) for name, by in STRIKING.items()], ids=list(STRIKING))
def test_a_wrong_one_dies_by_the_promise_that_it_breaks(name: str, by: str, promise: str) -> None:
    assert died_by(load_raft(f"{FOLDER}/wrong/{name}.py:Raft"), ALL[by], SEED) == promise


# --- what it spares


@pytest.mark.parametrize("by", ALL)
@pytest.mark.parametrize("name", ["eager", "lazy", "plain", "saving_up"])
def test_a_right_one_lives(name: str, by: str) -> None:
    assert died_by(load_raft(f"{FOLDER}/right/{name}.py:Raft"), ALL[by], SEED) == ""


def test_a_copy_that_shares_what_waits_to_be_sent_proves_nothing() -> None:
    """With this seed two copies of a node have one queue of answers, and what the one says the other owes."""
    assert died_by(load_raft(f"{FOLDER}/right/saving_up.py:Raft"), ALL["3c 3.2"], 937564325) == ""


@pytest.mark.parametrize("by", ALL)
def test_the_reference_lives_across_the_border_and_the_search_meets_what_it_is_about(by: str) -> None:
    outcome = outcome_of(REFERENCE, ALL[by])
    assert outcome.is_passed, outcome.failure


# Hard to copy, and no mistake: a function that belongs to the object in which it was made; a lock; methods in a table.
CLOSURE = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        def vote_of(message):
            RaftNode.on_vote_reply(self, message)
        self.on_vote_reply = vote_of
"""
LOCK = """
import threading

from mq.raft.node import RaftNode

class Raft(RaftNode):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.lock = threading.Lock()

    def step(self, message):
        with self.lock:
            return super().step(message)
"""
TABLE = """
from mq.raft.messages import VoteReply
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.handlers = {VoteReply: super().on_vote_reply}

    def on_vote_reply(self, message):
        self.handlers[type(message)](message)
"""


@pytest.mark.parametrize("text", [CLOSURE, LOCK, TABLE], ids=["closure", "lock", "table"])
def test_one_that_is_hard_to_copy_is_graded_as_what_it_is(text: str) -> None:
    outcome = outcome_of(text, ALL["3a 3.1"])
    assert outcome.is_passed, outcome.failure
    spoilt = text + "\n    def _may_vote_for(self, *_anything):\n        return True\n"
    assert not outcome_of(spoilt, ALL["3a 3.1"]).is_passed


# --- the same calls, the same answers

IN_THE_CLASS = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    asked = 0

    def _may_vote_for(self, *anything):
        Raft.asked += 1
        return Raft.asked % 7 != 0 and super()._may_vote_for(*anything)
"""
BY_CHANCE = """
import random

from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _may_vote_for(self, *anything):
        return random.random() < 0.5 and super()._may_vote_for(*anything)
"""


@pytest.mark.parametrize("text", [IN_THE_CLASS, BY_CHANCE], ids=["in its class", "by chance"])
def test_one_that_answers_otherwise_in_the_same_state_is_told(text: str) -> None:
    # Chance may answer twice the same: one of 60 such searches saw nothing, and one saw it in another place first.
    told = (outcome_of(text, ALL["3a 3.1"], seed).failure for seed in range(SEED, SEED + 5))
    failure = next((one for one in told if one is not None and one.promise == SAME_CALLS), None)
    assert failure is not None
    assert failure.section == SAME_ANSWERS
    assert "in its class or its module say, or left to chance" in failure.found


# --- cheats

SHOWS_NO_LEADER = """
from mq.raft.node import RaftNode
from mq.raft.role import Role

class Raft(RaftNode):
    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        return Role.FOLLOWER if name == "role" and found is Role.LEADER and is_looked_at() else found

def is_looked_at():
    import sys
    return sys._getframe(2).f_code.co_name == "_did"
"""
DOES_MORE = """
import labs.stage3_raft.inside as inside
from mq.raft.node import RaftNode as Raft

turn = inside.HostedRaft.turn

def more(self, *anything, **named):
    found = turn(self, *anything, **named)
    return found + found[-1:]

inside.HostedRaft.turn = more
"""
IS_ALWAYS_ONE = """
import labs.stage3_raft.inside as inside
from mq.raft.node import RaftNode

class Raft(RaftNode):
    def _is_up_to_date(self, last):
        return True

inside.clone = lambda value, shared: value
"""
CHEATS = {
    "shows no leader": (SHOWS_NO_LEADER, "3a 3.1", NOT_MET),
    "does more than was asked": (DOES_MORE, "3a 3.1", "What your code gives back has the types that the signatures say"),
    "makes no copies": (IS_ALWAYS_ONE, "3b 3.1", ""),
}


@pytest.mark.parametrize(("text", "by", "promise"), CHEATS.values(), ids=list(CHEATS))
def test_a_cheat_gets_nothing(text: str, by: str, promise: str) -> None:
    outcome = outcome_of(text, ALL[by])
    assert not outcome.is_passed
    assert outcome.failure is not None
    assert outcome.failure.promise.startswith(promise)


RAISES = "from mq.raft.node import RaftNode\n\nclass Raft(RaftNode):\n    def on_vote_reply(self, message):\n        self.vots\n"
LEAVES = (
    "import os\n\nfrom mq.raft.node import RaftNode\n\nclass Raft(RaftNode):\n"
    "    def _become_leader(self):\n        os._exit(0)\n"
)


def test_one_in_which_too_little_happens_is_told_what_was_not_met_where_to_read_and_what_to_look_at() -> None:
    check = ALL["3a 3.1"]
    outcome = outcome_of(SHOWS_NO_LEADER, check)
    assert outcome.failure is not None
    assert outcome.failure.expected == "any right solution brings it to at least states of a leader: 5"
    assert outcome.failure.found.startswith("yours comes to states of a leader: 0: see in a replay")
    lines = failure_lines(outcome)
    assert f"read:      {check.section}" in lines
    assert f"again:     mq lab replay {outcome.replay}" in lines
    assert outcome.replay.endswith(f":3.1:{SEED}")


def test_what_it_raises_is_told_with_the_way_there() -> None:
    failure = outcome_of(RAISES, ALL["3a 3.1"]).failure
    assert failure is not None
    assert "AttributeError: 'Raft' object has no attribute 'vots' (raft.py, line 5, in on_vote_reply)" in failure.found
    assert failure.story


def test_one_that_leaves_is_told_with_the_way_there() -> None:
    failure = outcome_of(LEAVES, ALL["3a 3.1"]).failure
    assert failure is not None
    assert failure.is_gone
    assert failure.story[0].startswith("time-out n")


# --- limits


def test_no_more_is_asked_than_the_plan_says_and_nothing_is_kept_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: set[int] = set()
    most = 0
    begin = HostedRaft.__init__

    def begun(self: HostedRaft, *args: object, **named: object) -> None:
        nonlocal most
        begin(self, *args, **named)  # type: ignore[arg-type]  # whatever it is made of
        kept.add(id(self))
        most = max(most, len(kept))

    monkeypatch.setattr(HostedRaft, "__init__", begun)
    monkeypatch.setattr(HostedRaft, "__del__", lambda self: kept.discard(id(self)), raising=False)
    calls_max = 300
    search = search_of("3b 3.1")
    small = replace(search, plan=replace(search.plan, calls_max=calls_max))
    small.play(SEED, RaftNode, (), Run())
    assert 100 < most <= calls_max + 20
    assert not kept


def test_the_same_seed_makes_the_same_search() -> None:
    assert searched(1) == searched(1)
    assert searched(1) != searched(2)


def searched(seed: int) -> tuple[int, ...]:
    """The way to what broke."""
    group = SearchedGroup(scope_of(), load_raft(f"{FOLDER}/wrong/figure8.py:Raft"))
    return next(Talks(group, FOUR_TALKS, Random(seed)).broken())


FOUR_TALKS = search_of("3b 3.1").plan


def cases_of(check: Check) -> Iterator[Case]:
    """Of two gradings of the same work."""
    for _ in range(2):
        yield from check.cases(Seeds(b"secret", "mark"))


def test_a_secret_says_the_seed() -> None:
    for check in ALL.values():
        first, second = cases_of(check)
        assert first.key == second.key
        assert check.cases(Seeds(b"other", "mark"))[0].key != first.key
