"""Lab 3e, "write the test": schedules that kill get their points, whatever else is written gets a sentence that helps."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from labs.grader.grading import grade_of
from labs.grader.lab import find_lab
from labs.grader.result import Grade, Outcome
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.submission import Submission
from labs.stage3_raft.lab3e_write_the_test.judging import LIVING_MIN, Worth, judged
from labs.stage3_raft.lab3e_write_the_test.language import parsed
from labs.stage3_raft.lab3e_write_the_test.rafts import RIGHT, TO_KILL, ToKill
from labs.stage3_raft.scripted import played
from labs.stage3_raft.wrong.stale_read import Raft as StaleRead
from mq.raft.node import RaftNode
from tests.labs.helpers import ROOT, label
from tools.lab_kills import handed_in, sentence_of, solutions

LAB3E = find_lab("lab3e")
KILLS = {kill.name: kill for kill in TO_KILL}
WRONG, RIGHT_ONES = solutions(LAB3E, "wrong"), solutions(LAB3E, "right")
SCHEDULES = ROOT / "labs" / "stage3_raft" / "schedules"
G = "group 1 2 3 pre-vote off check-quorum off"
TWO_LEADERS = f"{G}\ncampaign 1\ncampaign 3\nstabilize\n"

# Of each wrong text the first test that fails, and a part of what is said.
SAID = {
    "campaigns_in_two_terms": ("4.1", "all that it does a right Raft does, too"),
    "candidate_is_no_follower": ("4.5", "role of node 3 is candidate, not follower. So no rule asks for it"),
    "commits_before_it_answers": ("4.13", "does not come to what is wrong with it"),
    "expects_a_time": ("4.1", "a right one (lazy, which sends fewer heartbeats and waits longer) does: line 4"),
    "far_too_long": ("4.7", "`no_log_check.txt` has at most 16 commands, but it has 18"),
    "fits_ours_alone": ("4.17", "at least 3 of 5 right Rafts come to the end of `figure8.txt`, but eager: line 6"),
    "groups_twice": ("4.13", "there is a 'group' in line 2; a schedule is about one group"),
    "hears_nothing_early": ("4.13", "commit of node 2 is 1, not 0. So it is a Raft's own choice"),
    "includes_a_file": ("4.1", "line 3, `include ../solution/votes_for_everyone.txt`: 'include' is no command; there are: group"),
    "logs_in_the_middle": ("4.17", "'logs' says with what a node begins; it stands right behind `group`"),
    "longer_than_needed": ("4.8", "`no_log_check.txt` has at most 9 commands, but it has 12"),
    "message_that_is_kept_back": ("4.9", "no such message is on its way: 2>1 first"),
    "no_op_goes_along": ("4.17", "does not come to what is wrong with it"),
    "nothing_but_comments": ("4.1", "`votes_for_everyone.txt` is not written yet"),
    "other_digits": ("4.1", r"line 3, `campaign \uff11`: '\uff11' is none of the signs of the language"),
    "pasted_transcript": ("4.17", "line 5, `----`: '----' is no command (what comes of commands is not written"),
    "poor_log_lacks_nothing": ("4.5", "does not come to what is wrong with it"),
    "power_that_takes_nothing": ("4.9", "it acts otherwise than a right Raft from line 6, `deliver 1>2` on: there you are near"),
    "schedule_of_another": ("4.9", "does not come to what is wrong with it"),
    "slip_of_the_pen": ("4.1", "line 5, `stabilise`: 'stabilise' is no command; there are: group"),
    "stops_at_the_rule": ("4.18", "line 13, `expect 1 commit 0`: commit of node 1 is 1, not 0. That tells it from right ones"),
    "ticks_for_ever": ("4.1", "line 3, `tick 1 1000000000`: '1000000000' is too large: a number has at most 4 digits"),
    "without_given_logs": ("4.20", "`figure8.txt` has at most 18 commands, but it has 31"),
}
# Written for these mistakes long before the lab, by nobody who knew its limits.
OLDER = {
    "votes_for_everyone": "two_votes_after_restart",
    "no_log_check": "poor_log_campaigns",
    "vote_before_fsync": "vote_lost_with_the_power",
    "read_before_own_commit": "new_leader_is_read",
    "figure8": "figure_8",
}


def submission(**texts: str) -> Submission:
    """Ours, but for some texts, each by its wrong Raft."""
    found = solution_of(LAB3E) | {f"{name}.txt": text for name, text in texts.items()}
    return Submission({name: text.encode("utf-8", "surrogateescape") for name, text in found.items()})


def graded(mine: Submission) -> Grade:
    grade = grade_of(LAB3E, mine, Seeds(b"tests", mine.mark))
    assert grade.reason == ""
    return grade


def failed(grade: Grade) -> list[Outcome]:
    return [outcome for outcome in grade.outcomes if not outcome.is_passed]


def the_kill(file: Path) -> ToKill:
    """Which wrong Raft a text of ours is about."""
    return KILLS[file.read_text(encoding="utf-8").partition(".txt")[0].removeprefix("# ")]


# ---------------------------------------------------------------- ours, and what is handed out


def test_the_tests_are_four_for_each_wrong_raft_and_give_a_hundred_points() -> None:
    checks = LAB3E.suite.checks
    assert [check.number for check in checks] == [f"4.{number}" for number in range(1, 4 * len(TO_KILL) + 1)]
    assert sum(check.points for check in checks) == 100
    assert LAB3E.texts == tuple(kill.file for kill in TO_KILL)
    assert LAB3E.files == {}
    assert all(case.is_apart for check in checks for case in check.cases(Seeds()))


def test_ours_gets_all_points_and_what_is_handed_out_gets_none() -> None:
    assert graded(submission()).score == 100
    grade = graded(Submission({name: text.encode() for name, text in skeleton_of(LAB3E).items()}))
    assert grade.score == 0
    first = grade.first_failure
    assert first is not None
    assert first.number == "4.1"
    assert "all that it does a right Raft does, too" in first.message
    assert "`figure8.txt` is not written yet" in grade.outcomes[-1].message


@pytest.mark.parametrize("kill", TO_KILL, ids=lambda kill: kill.name)
def test_ours_kills_is_a_little_shorter_than_tight_and_no_right_raft_fails(kill: ToKill) -> None:
    text = solution_of(LAB3E)[kill.file]
    verdict = judged(kill, text)
    assert verdict.worth is Worth.KILLS
    assert 2 <= kill.tight - verdict.costs <= 4
    assert kill.tight < kill.short
    assert [played(text, raft).sentence for raft in RIGHT.values()] == [None] * 5
    others = [judged(other, text).worth for other in TO_KILL if other is not kill and kill.name == "figure8"]
    assert Worth.KILLS not in others, "figure 8 shows nothing but its own mistake"


@pytest.mark.parametrize(("name", "older"), OLDER.items())
def test_a_schedule_that_is_older_than_the_lab_kills_within_what_is_short(name: str, older: str) -> None:
    verdict = judged(KILLS[name], (SCHEDULES / f"{older}.txt").read_text(encoding="utf-8"))
    assert verdict.worth is Worth.KILLS
    assert verdict.costs <= KILLS[name].short


@pytest.mark.parametrize("file", RIGHT_ONES, ids=label)
def test_a_right_one_that_is_written_differently_gets_all_points(file: Path) -> None:
    assert failed(graded(handed_in(LAB3E, file))) == []
    kill = the_kill(file)
    texts = [parsed(text).text() for text in (file.read_text(encoding="utf-8"), solution_of(LAB3E)[kill.file])]
    assert texts[0].split() != texts[1].split()


@pytest.mark.parametrize("file", WRONG, ids=label)
def test_a_wrong_one_fails_by_its_test_and_is_told_why(file: Path) -> None:
    number, said = SAID[file.stem]
    outcomes = failed(graded(handed_in(LAB3E, file)))
    assert outcomes[0].number == number
    assert said in outcomes[0].message
    assert sentence_of(file).endswith(".")
    first = 4 * [*KILLS].index(the_kill(file).name) + 1
    assert {int(outcome.number.partition(".")[2]) for outcome in outcomes} <= set(range(first, first + 4))


def test_the_zoo_is_as_large_as_that_of_other_labs() -> None:
    assert {file.stem for file in WRONG} == set(SAID)
    assert len(WRONG) >= 10
    assert len(RIGHT_ONES) >= 3
    table = (LAB3E.folder / "KILLS.md").read_text(encoding="utf-8")
    kills = {kill["name"]: kill["test"] for kill in json.loads((LAB3E.folder / "kills.json").read_text(encoding="utf-8"))}
    for kind, files in (("wrong", WRONG), ("right", RIGHT_ONES)):
        assert [file.stem for file in files if f"[`{file.stem}`]({kind}/{file.name})" not in table] == []
        assert {file.stem: kills[file.stem].split(" ")[0] for file in files} == {
            file.stem: SAID[file.stem][0] if kind == "wrong" else "" for file in files
        }


# ---------------------------------------------------------------- what kills


def test_an_expectation_that_the_wrong_one_alone_does_not_meet_is_worth_the_first_points_and_no_kill() -> None:
    grade = graded(handed_in(LAB3E, LAB3E.folder / "wrong" / "stops_at_the_rule.txt"))
    assert [outcome.number for outcome in failed(grade)] == ["4.18", "4.19", "4.20"]
    assert grade.score == 100 - sum(KILLS["figure8"].points[1:])


def test_an_expectation_on_the_way_does_not_hide_the_kill_behind_it() -> None:
    figure8 = KILLS["figure8"]
    lines = solution_of(LAB3E)["figure8.txt"].replace("drop 1>2\n", "expect 1 commit 0\ndrop 1>2\n")
    assert played(lines, figure8.raft).line == "expect 1 commit 0"
    verdict = judged(figure8, lines)
    assert verdict.worth is Worth.KILLS
    assert verdict.costs == parsed(lines).costs == 14, "what only looks costs nothing"


def test_nobody_dies_who_has_no_mistake_whatever_is_written() -> None:
    """Schedules by chance, on a Raft that is said to be wrong and is ours: none tells it apart, none makes the grader fail."""
    innocent = replace(TO_KILL[0], raft=RaftNode)
    rng = random.Random(3)
    words = (
        "campaign {a}", "campaign {a}", "stabilize", "deliver *>{a} all", "deliver {a}>* all", "drop {a}>* all",
        "cut {a} {b}", "heal", "crash {a}", "crash {a} losing unsaved", "restart {a}", "propose {a} x", "read {a}",
        "tick {a} {n}", "disk {a} manual", "save {a} all", "snapshot {a}", "change {a} voters {a} {b}", "transfer {a} {b}",
        "damage {a}", "save-fails {a}", "disk-fails {a}", "duplicate *>{a}", "hold {a}>*", "expect {a} term {n}",
        "expect {a} role leader", "status", "log",
    )  # fmt: skip
    heads = (G, f"{G} entries-max 1", "group 1 2 3", "group 1 2 3 learners 4 disk manual", f"{G}\nlogs 1: 2 term 3\nlogs 3: 3")
    seen = set()
    for _ in range(150):
        body = [rng.choice(words).format(a=rng.randint(1, 3), b=rng.randint(1, 4), n=rng.randint(1, 9)) for _ in range(14)]
        seen.add(judged(innocent, "\n".join([rng.choice(heads), *body])).worth)
    assert seen == {Worth.NOTHING, Worth.LIVES}


def test_a_right_raft_that_has_not_sent_what_is_delivered_is_left_out_when_others_are_enough() -> None:
    figure_8 = (SCHEDULES / "figure_8.txt").read_text(encoding="utf-8")
    ends = [played(figure_8, raft) for raft in RIGHT.values()]
    assert 0 < sum(end.is_unsaid for end in ends) <= len(RIGHT) - LIVING_MIN
    assert not ends[0].is_unsaid


def test_a_message_that_the_wrong_raft_alone_sends_is_told_to_be_near() -> None:
    verdict = judged(KILLS["vote_before_fsync"], f"{G}\ndisk 2 manual\ncampaign 1\ndeliver 1>2\ndeliver 2>1")
    assert "The wrong Raft has sent it, so you are near: with `all` behind it the command fits right ones, too" in verdict.found
    fits = judged(KILLS["vote_before_fsync"], f"{G}\ndisk 2 manual\ncampaign 1\ndeliver 1>2\ndeliver 2>1 all")
    assert fits.worth is Worth.LIVES


# ---------------------------------------------------------------- its texts


README = (LAB3E.folder / "README.md").read_text(encoding="utf-8")


def test_the_readme_says_what_the_tests_do() -> None:
    for place, kill in enumerate(TO_KILL):
        told, broken, short, tight = kill.points
        section, first = kill.section.removeprefix("Paper: Raft, "), 4 * place + 1
        assert f"| `{kill.file}` | {kill.mistake} | {section} | 4.{first} to 4.{first + 3} |" in README
        within = (f"{short}, within {kill.short}", f"{tight}, within {kill.tight}")
        row = next(line for line in README.splitlines() if line.startswith(f"| `{kill.name}` |"))
        assert [cell.strip().removesuffix(" commands") for cell in row.split("|")[2:6]] == [str(told), str(broken), *within]
        text = skeleton_of(LAB3E)[kill.file]
        assert text.startswith(f"# {kill.name}: {kill.mistake}. {kill.section}.\n")
        assert f"Short is within {kill.short} commands, and tight within {kill.tight}." in text


def test_each_schedule_has_three_hints() -> None:
    parts = re.split(r"\n### (\w+)\n", README.partition("## The schedules, in order")[2].partition("## Claims")[0])
    assert parts[1::2] == [kill.name for kill in TO_KILL]
    assert [re.findall(r"<summary>Hint (\d)</summary>", part) for part in parts[2::2]] == [["1", "2", "3"]] * len(TO_KILL)


def test_the_example_of_the_readme_kills_with_as_many_commands_as_it_says() -> None:
    block = README.partition("**An example.**")[2].partition("Of the wrong Raft this comes")[0]
    text = "\n".join(line.removeprefix("    ") for line in block.splitlines() if line.startswith("    "))
    example = ToKill("stale_read", StaleRead, "", "", 0, 0, (0, 0, 0, 0))
    verdict = judged(example, text)
    assert verdict.worth is Worth.KILLS
    assert verdict.costs == 9
    assert "with nine commands" in README
    assert (verdict.promise, verdict.expected) == (
        "a read shows everything that was committed before it was asked", "3 entries were committed before read 1 was asked",
    )  # fmt: skip
    assert " ".join(verdict.story[-1].split()) == "1 answers read 1 behind entry 1: nothing"


def test_every_file_and_every_wrong_raft_that_is_named_is_there() -> None:
    for kill in TO_KILL:
        assert (ROOT / "labs" / "stage3_raft" / "wrong" / f"{kill.name}.py").is_file()
        assert kill.mistake.split()[0] in ("it", "its", "a")
    assert "mq/sim/hand/commands.py" in README
    assert (ROOT / "mq" / "sim" / "hand" / "commands.py").is_file()


def test_what_a_failure_says_to_read_is_in_the_readme() -> None:
    texts = [file.read_text(encoding="utf-8") for file in (*WRONG, *RIGHT_ONES)]
    read = {judged(kill, text).section for kill in TO_KILL for text in (*texts, f"{G}\ndeliver 1>2", "#", G)}
    read |= {outcome.failure.section for file in WRONG for outcome in failed(graded(handed_in(LAB3E, file))) if outcome.failure}
    headings = {line.lstrip("# ") for line in README.splitlines() if line.startswith("##")}
    ours = {section for section in read if section.startswith("README")}
    assert {section.partition('"')[2].rstrip('"') for section in ours} <= headings
    assert len(ours) == 4 + len(TO_KILL), "what may be expected, the language, what kills, how short; and one for each schedule"
    assert read - ours <= {"Paper: Raft, figure 3", "Paper: Raft, section 8"}
