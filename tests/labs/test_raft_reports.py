"""What a failure of a Raft lab shows: the promise, two facts, where to read, few steps as a picture, and how to see it again."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from labs.grader.boxed import files_for
from labs.grader.explaining import explain
from labs.grader.grading import in_a_process
from labs.grader.lab import LABS, Lab, find_lab
from labs.grader.notebook import Shown, replay
from labs.grader.page import page_of
from labs.grader.replay import case_of, replayed_grade
from labs.grader.report import failure_lines
from labs.grader.result import Failure, Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of, write_all
from labs.grader.submission import Submission
from labs.grader.suite import PromiseBrokenError, Run
from labs.stage3_raft.pictures import STEPS_MAX, GroupPicture
from labs.stage3_raft.recorded import RecordedGroup, RecordedScript
from labs.stage3_raft.worlds import world_case
from mq.raft.messages import VoteReply
from mq.raft.node import RaftNode
from mq.raft.output import Output
from mq.sim.hand.script import Script
from mq.sim.load_raft import load_raft
from mq.sim.trace import Event

ZOO = LABS / "stage3_raft" / "wrong"
TWO_VOTES = "\n    def _may_vote_for(self, candidate):\n        return True\n"
FIGURE_8 = "\n    def _advance_commit(self):\n        self._commit_to(self.configuration.quorum_value(self._durable_index_of))\n"
NO_VOTE_SAVED = "\n    def _hard_state(self):\n        return HardState(self.term, None)\n"
REPORTS = {
    # token: (what a student wrote instead, promise, section, what the picture has to tell)
    "lab3a:2.2:two_votes_after_restart": (
        TWO_VOTES, "In each term there is at most one leader", "Paper: Raft, figure 3",
        ("votes for n1", "sends yes to n3", "n1: hears yes from n2; is a leader in term 1", "n3: hears yes from n2; is a leader"),
    ),
    "lab3b:2.2:figure_8": (
        FIGURE_8, "No two nodes ever apply different entries for the same index", "Paper: Raft, figure 3",
        ("commit 2.2 in T4; log 1 2| 4", "n5: hears ok 2 from n3; commit 2.3 in T5; log 1 3| 5"),
    ),
    "lab3c:2.2:two_votes_after_restart": (
        NO_VOTE_SAVED, "In each term there is at most one leader", "Paper: Raft, figure 3",
        ("n2: crash", "starts again", "votes for n3; sends yes to n3", "n3: hears yes from n2; is a leader in term 1"),
    ),
}  # fmt: skip

of_each = pytest.mark.parametrize("token", REPORTS, ids=lambda token: token.replace(":", "-"))


def lab_of(token: str) -> Lab:
    return find_lab(token.partition(":")[0])


@cache
def outcome_of(token: str) -> Outcome:
    """The failure of a student's own code, across the border, as a grade finds it."""
    lab = lab_of(token)
    text = solution_of(lab)["raft.py"] + REPORTS[token][0]
    check, case = case_of(lab, token)
    with Runner(lab, Submission({"raft.py": text.encode()}), Seeds(), in_a_process()) as runner:
        tried = runner.replayed(case)
    return Outcome(check.number, check.name, check.points, failure=tried.failure, replay=token)


def failure_of(token: str) -> Failure:
    failure = outcome_of(token).failure
    assert failure is not None
    return failure


def picture_of(failure: Failure) -> GroupPicture:
    assert isinstance(failure.figure, GroupPicture)
    return failure.figure


def work_in(folder: Path, token: str) -> Path:
    files = solution_of(lab_of(token))
    write_all(folder, {**files, "raft.py": files["raft.py"] + REPORTS[token][0]})
    return folder


# --- the three that are shown


@of_each
def test_a_terminal_shows_promise_facts_section_picture_and_how_to_see_it_again(token: str) -> None:
    _, promise, section, told = REPORTS[token]
    failure, lines = failure_of(token), failure_lines(outcome_of(token))
    text = "\n".join(lines)
    assert f"{promise}." in lines
    assert [line[:10].rstrip() for line in lines if line.startswith("fact")] == ["fact 1:", "fact 2:"]
    assert failure.expected in text
    assert section in text
    assert f"again:     mq lab replay {token}" in lines
    assert f'notebook:  from labs.grader.notebook import replay; replay("{token}")' in lines
    for part in told:
        assert part in text
    assert text.count("<== here") == 2, "in the story and in the picture"
    assert 5 <= picture_of(failure).steps <= STEPS_MAX


@of_each
def test_a_page_shows_the_same_with_a_picture_that_needs_nothing_else(token: str) -> None:
    outcome = outcome_of(token)
    lab = lab_of(token)
    page = page_of(replayed_grade(lab, outcome, Run()))
    assert f"<strong>{REPORTS[token][1]}.</strong>" in page
    assert f"<code>mq lab replay {token}</code>" in page
    assert f'replay("{token}")' in page
    assert page.count("data:image/svg+xml;base64,") == 1
    assert not re.search(r'(src|href)="(?!data:|#)', page), "nothing is fetched"


@of_each
def test_the_picture_has_nodes_terms_and_where_it_broke(token: str) -> None:
    svg = picture_of(failure_of(token)).svg()
    words = [text.text for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"n1", "n2", "n3"} <= {*words}
    assert any(word and re.fullmatch(r"T\d+ leader", word) for word in words)
    assert "broken here" in words
    assert any(word and word.startswith("broken at ") for word in words)


@of_each
def test_a_replay_in_a_notebook_comes_to_the_same_failure(token: str, tmp_path: Path) -> None:
    path = work_in(tmp_path / lab_of(token).id, token)
    shown = replay(token, path)
    assert isinstance(shown, Shown)
    (outcome,) = shown.grade.outcomes
    assert outcome.failure is not None
    first = failure_of(token)
    assert (outcome.failure.sentence, outcome.failure.story) == (first.sentence, first.story)
    assert picture_of(outcome.failure).lines() == picture_of(first).lines()
    html = shown._repr_html_()
    assert f"mq lab replay {token}" in html
    assert "data:image/svg+xml;base64," in html


# --- sentences and worlds


def sentences_that_fail(lab: str, name: str) -> dict[str, Failure]:
    """In this process: our wrong Raft against all sentences of a lab."""
    raft, found = load_raft(f"{ZOO / name}.py:Raft"), {}
    for check in find_lab(lab).suite.checks:
        for case in check.cases(Seeds()) if check.ring == 1 else ():
            run = Run()
            try:
                case.play(raft, case.steps, run)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
                found[f"{check.number}:{case.key}"] = explain(error, run, check.section)
    return found


@pytest.mark.parametrize(
    ("lab", "name"),
    [("lab3a", "votes_for_everyone"), ("lab3b", "figure8"), ("lab3c", "vote_not_saved"), ("lab3d", "install_keeps_log")],
)
def test_a_sentence_that_does_not_hold_is_drawn_with_the_node_framed(lab: str, name: str) -> None:
    found = sentences_that_fail(lab, name)
    assert found
    for number, failure in found.items():
        picture = picture_of(failure)
        assert 1 <= picture.steps <= STEPS_MAX, number
        assert any("<== here" in line for line in picture.lines()), number
        assert "broken here" in picture.svg(), number
        assert failure.section, number


def world_failure(name: str, seeds: range) -> Failure:
    raft = load_raft(f"{ZOO / name}.py:Raft")
    for seed in seeds:
        run, case = Run(), world_case(seed)
        try:
            case.play(raft, case.steps, run)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
            return explain(error, run)
    raise AssertionError(f"{name} lives in all of {seeds}")


@pytest.mark.parametrize("name", ["votes_for_everyone", "half_is_majority", "figure8", "ack_before_fsync", "old_votes_count"])
def test_a_world_is_drawn_by_the_few_steps_that_led_to_its_end(name: str) -> None:
    failure = world_failure(name, range(1, 40))
    picture = picture_of(failure)
    assert 1 <= picture.steps <= STEPS_MAX
    assert list(failure.story) == picture.story()
    assert failure.story[-1].endswith("<== here it broke")
    assert sum("<== here" in line for line in picture.lines()) == 1
    assert failure.are_facts
    assert "(sender=" not in failure.sentence, "a message with all its fields is no sentence"
    nodes = {f"n{number}" for number in re.findall(r"\bnode (\d)", f"{failure.expected} {failure.found}")}
    named = [text.text for text in ET.fromstring(picture.svg()).iter("{http://www.w3.org/2000/svg}text")]
    assert nodes <= {*named}, "who is spoken of is drawn"


def test_what_a_raft_raises_is_shown_with_what_led_to_it() -> None:
    class Raises(RaftNode):
        __slots__ = ()

        def on_vote_reply(self, message: VoteReply) -> None:
            raise KeyError(message.sender)

    run, case = Run(), world_case(3)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - it is explained below
        case.play(Raises, case.steps, run)
    failure = explain(raised.value, run)
    assert "KeyError" in failure.expected
    assert "yes" in failure.story[-1]
    assert " from n" in failure.story[-1]
    assert failure.story[-1].endswith("<== here it broke")


def test_a_test_that_passes_is_drawn_without_a_broken_promise() -> None:
    check = next(check for check in find_lab("lab3a").suite.checks if "one vote a term" in check.name)
    run, (case, *_) = Run(), check.cases(Seeds())
    case.play(RaftNode, case.steps, run)
    assert isinstance(run.figure, GroupPicture)
    assert run.figure.steps
    assert "<== here" not in "\n".join(run.figure.lines())
    assert "broken" not in run.figure.svg()


# --- where pictures come from


def test_no_picture_lies_where_a_students_code_runs() -> None:
    """The tests that are run beside it import what they need; what draws is not among that."""
    for short in ("lab3a", "lab3b", "lab3c", "lab3d"):
        files = files_for(find_lab(short), with_sweep=True)
        assert "labs/stage3_raft/worlds.py" in files
        drawn = [file for file in files if "spacetime" in file or file.endswith(("pictures.py", "lanes.py", "relevant.py"))]
        assert drawn == []


def test_a_recorded_group_tells_what_its_nodes_did_and_asks_them_nothing() -> None:
    calls: list[str] = []

    class Watched(RaftNode):
        def __getattribute__(self, name: str) -> object:
            calls.append(name)
            return super().__getattribute__(name)

    group = RecordedGroup((1, 2, 3), raft_class=Watched)
    group.campaign(1)
    group.stabilize()
    group.propose(1, b"a")
    group.stabilize()
    group.crash(3, loses_unsaved=True)
    group.restart(3)
    group.settle()
    calls.clear()
    group.settle()
    assert {*calls} <= {"role", "term", "leader", "vote", "commit_index"}
    names = [event.name for event in group.trace.events()]
    assert names[:3] == ["start"] * 3
    for name in ("role", "vote", "append", "save", "send", "receive", "commit", "power-loss"):
        assert name in names
    sent = [event for event in group.trace.events() if event.name == "send"]
    heard = [event.number("id") for event in group.trace.events() if event.name == "receive"]
    assert [event.number("id") for event in sent] == list(range(1, len(sent) + 1))
    assert {*heard} <= {event.number("id") for event in sent}


def test_a_script_that_is_recorded_does_the_same_as_one_that_is_not() -> None:
    text = (LABS / "stage3_raft" / "schedules" / "figure_8.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    plain, recorded = Script(), RecordedScript()
    assert [plain.do(line) for line in lines] == [recorded.do(line) for line in lines]
    assert list(recorded.events())


def test_no_event_no_picture() -> None:
    nothing = GroupPicture(list[Event])
    assert (nothing.lines(), nothing.svg(), nothing.steps) == ([], "", 0)


def test_of_many_failures_on_one_page_the_first_ones_are_drawn_and_the_others_told_in_text() -> None:
    token = "lab3a:2.2:two_votes_after_restart"
    many = tuple(replace(outcome_of(token), number=f"1.{number}") for number in range(30))
    page = page_of(replace(replayed_grade(lab_of(token), many[0], Run()), outcomes=many))
    drawn, told = page.count("data:image/svg+xml;base64,"), page.count("<pre>    ms   n1")
    assert drawn + told == len(many)
    assert 5 <= drawn <= 20
    assert f"The pictures of {told} of these failures stand here in text" in page


def test_a_long_story_is_told_by_the_steps_that_led_to_its_end() -> None:
    """Here a disk fails, and is then asked two thousand times whether it is done."""

    class Speaks(RaftNode):
        __slots__ = ()

        def disk_failed(self) -> Output:
            self._tell(VoteReply(self.node_id, 2, self.term, is_granted=True))
            return super().disk_failed()

    check = next(check for check in find_lab("lab3c").suite.checks if "what waited for a disk that failed" in check.name)
    run, (case, *_) = Run(), check.cases(Seeds())
    with pytest.raises(PromiseBrokenError):
        case.play(Speaks, case.steps, run)
    assert isinstance(run.figure, GroupPicture)
    assert run.story == run.figure.story()
    assert len(run.story) <= STEPS_MAX
    assert any("is a mute in term" in line for line in run.story)


def test_a_run_that_never_comes_to_its_end_is_drawn_by_what_its_nodes_do_last() -> None:
    failure = world_failure("vote_kept_in_new_term", range(1, 4))
    assert failure.promise.startswith("When everything is healed, a leader appears")
    picture = picture_of(failure)
    assert 5 <= picture.steps <= STEPS_MAX
    last_term = max(int(term) for term in re.findall(r"in term (\d+)", failure.found))
    assert any(f"is a candidate in term {last_term}" in line for line in failure.story)
    assert any("votes for itself" in line and "is a follower" in line for line in failure.story), "that is the mistake"


def test_no_line_of_a_picture_is_broken_by_what_stands_beside_it() -> None:
    """A word in one node's column never covers the next node's line."""
    lines = picture_of(world_failure("vote_kept_in_new_term", range(1, 4))).lines()
    names = next(line for line in lines if line.split()[:2] == ["ms", "n1"])
    places = [names.index(f"n{number}") for number in (1, 2, 3, 4, 5)]
    drawn = [line for line in lines[1 : lines.index("")] if len(line) > places[-1] and "--" not in line and "~" not in line]
    assert len(drawn) > 10
    for line in drawn:
        assert all(line[place] in "|*" for place in places), line
