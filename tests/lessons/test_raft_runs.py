"""What the lessons on Raft draw is what happened: traces of groups that are moved by hand are judged like those of real nodes."""

from collections import Counter
from pathlib import Path

import pytest

from lessons import raft_pictures
from lessons.raft_hand import TracedScript
from lessons.raft_pictures import Said, draw_talk
from lessons.raft_runs import TimedGroup, counting, hand
from mq.core.ids import EntryId
from mq.raft.node import RaftNode
from mq.raft.role import TRANSITIONS, Event, Role
from mq.sim.group.judge import judge
from mq.sim.hand.script import RULE, Script
from tools.lesson_files import LESSONS

TRANSCRIPTS = sorted((LESSONS.parent / "tests" / "transcripts").glob("*.txt"))
GIVEN = "\nlogs "
"""These begin with logs that nobody saw come to be, and the judge wants a cause for each entry."""
OLDER_MEMBERS = "a_crash_between_a_snapshot_and_its_log"
"""It starts from a snapshot, whose members no line tells."""


def commands_of(file: Path) -> list[str]:
    lines, is_output = [], False
    for line in file.read_text(encoding="utf-8").splitlines():
        is_output = line == RULE or (is_output and bool(line))
        if not is_output and line and not line.startswith("#"):
            lines.append(line)
    return lines


def test_there_are_transcripts_to_try() -> None:
    assert sum(GIVEN not in file.read_text(encoding="utf-8") for file in TRANSCRIPTS) >= 40


@pytest.mark.parametrize("file", TRANSCRIPTS, ids=lambda file: file.stem)
def test_a_traced_group_does_what_any_group_does_and_tells_it(file: Path) -> None:
    traced, plain = TracedScript(), Script()
    for line in commands_of(file):
        assert traced.do(line) == plain.do(line)
    events = list(traced.group.trace.events())
    assert len(events) > 3
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    if GIVEN not in file.read_text(encoding="utf-8") and file.stem != OLDER_MEMBERS:
        assert judge(events) is None


class VotesForAnyLog(RaftNode):
    """A rule is left out."""

    __slots__ = ()

    def _is_up_to_date(self, last: EntryId) -> bool:
        return True


LOSES_AN_ENTRY = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize 1 2
    isolate 1
    campaign 3
    stabilize
    campaign 3
    stabilize
"""


def test_a_run_by_hand_stops_where_a_promise_breaks() -> None:
    assert hand(LOSES_AN_ENTRY).broken == ""
    run = hand(LOSES_AN_ENTRY, VotesForAnyLog)
    assert run.broken == "node 3 applies entry 1 of term 2; applied elsewhere: term 1"
    events = len(run.events)
    assert len(run.play("tick 2 1").events) == events, "nothing more happens"


def test_a_timed_group_elects_commits_and_survives_its_leader() -> None:
    counts: Counter[tuple[Role, Event]] = Counter()
    group = TimedGroup(7, 5, counting(counts)).wait_for_leader()
    first = group.leader
    assert first is not None
    group.propose(first, b"a").pass_time(300).kill(first).pass_time(1).wait_for_leader()
    assert group.leader not in {None, first}
    group.start(first).pass_time(1_000)
    assert group.broken == ""
    assert {row.entries for row in group.log_rows()} == {((1, 1, ""), (2, 1, "a"), (3, 2, ""))}
    assert set(counts) <= set(TRANSITIONS)
    assert counts[Role.CANDIDATE, Event.WINS] == 2
    assert judge(group.events) is None


def test_a_timed_group_says_which_promise_broke() -> None:
    group = TimedGroup(3, 3, VotesForAnyLog, has_pre_vote=False, has_check_quorum=False).wait_for_leader()
    leader = group.leader
    assert leader is not None
    away = next(node for node in (1, 2, 3) if node != leader)
    group.isolate(away).propose(leader, b"a").pass_time(400).heal().kill(leader)
    for _ in range(40):
        group.pass_time(500)
    assert group.broken, "a node without the entry leads at last"


def test_what_comes_to_somebody_who_is_gone_finds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(raft_pictures, "show_with_words", lambda _, words: told.extend(words.splitlines()))
    said = [Said(0, "two", "one", "here", 1), Said(2, "one", "one", "dies", is_end=True), Said(3, "two", "one", "cake", 4)]
    draw_talk(["one", "two"], said)
    assert told == [
        "0: two to one: here (arrives at 1)",
        "2: one: dies",
        "3: two to one: cake (arrives at 4, where nobody is any more)",
    ]
