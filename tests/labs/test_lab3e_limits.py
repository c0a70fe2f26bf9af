"""What a schedule of lab 3e may say: limits, slips of the pen, and what is meant to make the grader fail."""

import re
from dataclasses import replace

import pytest

from labs.grader.skeleton import solution_of
from labs.grader.submission import Submission
from labs.stage3_raft.lab3e_write_the_test import judging
from labs.stage3_raft.lab3e_write_the_test.judging import Worth, judged
from labs.stage3_raft.lab3e_write_the_test.language import LIMITS, LineError, parsed
from labs.stage3_raft.lab3e_write_the_test.rafts import RIGHT, TO_KILL
from labs.stage3_raft.scripted import played
from mq.raft.node import RaftNode
from tests.labs.test_lab3e import LAB3E, TWO_LEADERS, G, graded

REFUSED = {
    f"{G}\ntick 1 201": "line 2, `tick 1 201`: that makes 201 ticks; a schedule has at most 200 in all",
    f"{G}\ntick 1 150\ntick 2 150": "line 3, `tick 2 150`: that makes 300 ticks; a schedule has at most 200 in all",
    f"{G}\n" + "campaign 1\n" * 60: "line 61, `campaign 1`: that makes 61 commands; a schedule has at most 60 in all",
    f"{G}\n" + "status\n" * 61: "line 62, `status`: that makes 61 looks; a schedule has at most 60 in all",
    f"{G}\n" + "propose 1 a b c d e f g\n" * 9: "line 10, `propose 1 a b c d e f g`: that makes 63 entries",
    f"{G}\n" + f"logs 1: {'1 ' * 50}term 3\nlogs 2: {'1 ' * 11}": "that makes 61 entries; a schedule has at most 60 in all",
    "\n" * 300 + "x": "a file has at most 300 lines",
    f"{G}\npropose 1 {'a' * 120}": "it has 130 characters; a line has at most 120",
    f"{G}\nquietly campaign 1": "'quietly' is no command; there are: group",
    f"{G}\nend-snapshot 1": "'end-snapshot' is no command; there are: group",
    f"{G}\ncampaign one": "'one' does not fit where it stands; it is written: campaign ID - its election time-out is over",
    f"{G}\ncampaign 1 now": "'now' is a word too many; it is written: campaign ID",
    f"{G}\ncampaign 1 # go": "'#' stands within a line, and a comment has a line of its own",
    f"{G}\ndeliver 1-2": "'1-2' does not fit where it stands; it is written: deliver WAY",
    f"{G}\ndeliver": "behind 'deliver' a word is missing; it is written: deliver WAY",
    f"{G}\nexpect 1 leader": "behind 'leader' a word is missing; it is written: expect ID FACT VALUE",
    f"{G}\nexpect 1 rle leader": "'rle' cannot be expected; these can: role term vote",
    f"{G}\nduplicate *>* all": "'all' is too much: one message at a time is duplicated",
    "campaign 1": "a schedule begins with `group 1 2 3`, say, not with 'campaign'",
    "group 1 2 6": "there is no node '6': the nodes of a group are some of 1 to 5",
    f"{G}\nchange 1 voters 1 2 77": "there is no node '77'",
    f"{G}\n\x1b[2J": r"'\x1b' is none of the signs of the language",
    f"{G}\ncampaign 1\x0bcampaign 3": r"'\x0b' is none of the signs of the language",
    f"{G}\ncampaign \u0661": r"'\u0661' is none of the signs of the language",
    f"{G}\ncampaign \udc80": r"'\udc80' is none of the signs of the language",
}
NOT_DONE = {
    f"{G}\ncampaign 5": "line 2, `campaign 5`: it cannot be done: there is no node 5",
    f"{G}\ndeliver 1>2": "line 2, `deliver 1>2`: it cannot be done: no such message is on its way: 1>2 first; none is",
    f"{G}\nsave 1": "it cannot be done: nothing of node 1 waits for its disk",
    "group 1 1": "it cannot be done: node 1 is named twice",
    f"{G}\nlogs 1: 3 2": "it cannot be done: terms of a log never fall",
    f"{G} entries-max 0": "it cannot be done: entries_max is 0, it must be at least 1",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_is_told_with_line_word_and_what_is_allowed(text: str) -> None:
    with pytest.raises(LineError) as caught:
        parsed(text)
    assert REFUSED[text] in str(caught.value)
    assert REFUSED[text] in judged(TO_KILL[0], text).found


@pytest.mark.parametrize("text", NOT_DONE)
def test_what_cannot_be_done_is_told_with_its_line(text: str) -> None:
    verdict = judged(TO_KILL[0], text)
    assert (verdict.worth, verdict.promise) == (Worth.NOTHING, "What a schedule says can be done")
    assert NOT_DONE[text] in verdict.found


def test_a_line_within_a_comment_is_none_however_it_is_broken() -> None:
    for sign in ("\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"):
        assert parsed(f"# a comment{sign}campaign 1\n{G}\ncampaign 2").text().split("\n") == ["", G, "campaign 2"]
    assert parsed(f"{G}\r\n\tcampaign   1  \r\n").text() == f"{G}\ncampaign 1"


@pytest.mark.parametrize(
    "text",
    [
        f"{G} entries-max 1 in-flight-max 9999 heartbeat-ticks 1\ncampaign 1\nstabilize\n"
        + f"propose 1 {'a ' * 30}\n" * 2 + "tick 1 200\n" + "deliver *>* all\n" * 40,
        "group 1 2 3 4 5 pre-vote off check-quorum off heartbeat-ticks 1\ncampaign 1\nstabilize\n"
         "tick 1 200\n" + "stabilize\n" * 50,
        f"{G}\ncampaign 1\n" + "duplicate *>*\n" * 56 + "stabilize\n",
        "group 1 2 3 4 5\n" + "".join(f"logs {node}: {'1 ' * 12}\n" for node in range(1, 6)) + "log\n" * 60,
        f"{G} chunk-bytes-max 1 recent-bytes-max 1\nisolate 3\ncampaign 1\nstabilize\npropose 1 {'abcdefgh ' * 12}\nstabilize\n"
        "snapshot 1\nheal\ntick 1 200\n" + "stabilize\n" * 30,
    ],
    ids=["messages", "ticks", "copies", "looks", "chunks"],
)  # fmt: skip
def test_the_largest_schedules_that_the_limits_allow_are_soon_over(text: str) -> None:
    """Measured in lines of what happened, which hold on a loaded machine: seconds do not."""
    parsed(text)
    ends = [played(parsed(text).text(), raft) for raft in (RaftNode, TO_KILL[4].raft)]
    assert max(len(end.story) for end in ends) < 10_000
    assert judged(TO_KILL[4], text).worth <= Worth.LIVES


def test_every_limit_is_in_the_readme() -> None:
    text = (LAB3E.folder / "README.md").read_text(encoding="utf-8").partition("**Limits.**")[2].partition("\n\n")[0]
    assert [number for number in map(str, LIMITS.values()) if number not in text] == []
    assert [number for number in ("120\ncharacters", "4 digits", "300 lines") if number not in text] == []


def test_what_goes_wrong_in_the_player_is_no_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    class Raises(RaftNode):
        __slots__ = ()

        def _may_vote_for(self, candidate: int) -> bool:
            raise KeyError(candidate)

    verdict = judged(replace(TO_KILL[0], raft=Raises), TWO_LEADERS)
    assert verdict.worth is Worth.LIVES
    assert "the schedule ends too early on it: line 4, `stabilize`: " in verdict.found
    assert "KeyError" in verdict.found
    monkeypatch.setattr(judging, "RIGHT", dict.fromkeys(RIGHT, Raises))
    assert judged(replace(TO_KILL[0], short=99), TWO_LEADERS).worth is Worth.NOTHING


def test_odd_bytes_are_read_as_text_or_refused_and_never_end_the_grade() -> None:
    texts = {"votes_for_everyone.txt": b"\xff\xfe" + TWO_LEADERS.encode("utf-16-le"), "figure8.txt": b"\x00" * 100_000}
    texts["no_log_check.txt"] = b"\xef\xbb\xbf" + solution_of(LAB3E)["no_log_check.txt"].encode()
    grade = graded(Submission(texts))
    assert {outcome.number for outcome in grade.outcomes if outcome.is_passed} == {"4.5", "4.6", "4.7", "4.8"}
    assert "is none of the signs of the language" in grade.outcomes[0].message
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(outcome.message for outcome in grade.outcomes))
