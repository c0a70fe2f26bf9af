"""`run.py sim explore`: a story on stdout, the promise and the facts that conflict on stderr, a status that says which."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from mq.raft.node import RaftNode
from mq.sim.__main__ import main
from mq.sim.explore import goals
from mq.sim.explore.goals import TINY_SCOPE, search_deep, search_small
from mq.sim.explore.group_model import GroupModel
from mq.sim.explore.model import Stopwatch
from mq.sim.explore.origin import Origin, rule_of
from mq.sim.explore.progress import Progress
from mq.sim.explore.shrink import shrink
from mq.sim.explore.wrong_cores import LEFT_OUT, SMALL_SCOPE_CORES, CountsAnyTerm
from mq.sim.load_raft import load_raft

pytestmark = pytest.mark.sim

SMALL = ["explore", "--goal", "small-scope", "--tiny", "--core", "votes-for-any-log"]


def test_a_broken_promise_is_told_with_facts_and_source_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "found.svg"
    assert main([*SMALL, "--draw", str(picture)]) == 1
    trace, said = capsys.readouterr()
    assert trace.startswith(
        "# goal: small-scope\n# core: votes-for-any-log\n# scope: tiny\n# broken: an entry that was committed"
    )
    assert "\n# 1. time-out n" in trace
    assert "# in this search: 3 nodes, terms up to 2, no commands of clients, 1 crash, no heartbeats; a message carries" in trace
    assert "broken: an entry that was committed in a term is in the logs of the leaders of all later terms" in said
    assert re.search(r"fact 1: entry 1 of term 1 \(noop\) was committed in term 1; n\d was the first to apply it\n", said)
    assert "fact 2: n" in said
    assert "source: Leader Completeness; Paper: Raft, section 5.4" in said
    assert "again:   python3 run.py sim explore --goal small-scope --core votes-for-any-log --tiny" in said
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "small-scope, core votes-for-any-log: broken in " in drawn
    assert "the rule that this Raft lacks: a node votes for no candidate whose log lacks" in drawn
    assert "ms: an entry that was committed in a term is in the logs of the leaders of all later terms" in drawn
    assert "entry 1 of term 1 (noop) was committed in term 1" in drawn


def test_a_story_is_replayed_from_its_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 1
    trace, told = capsys.readouterr()
    file = tmp_path / "story.txt"
    file.write_text(trace, encoding="utf-8")
    assert main([*SMALL, "--replay", str(file)]) == 1
    again, said = capsys.readouterr()
    assert again == trace
    lines = [line for line in said.splitlines() if not line.startswith("at once")]
    assert [line for line in lines if line not in told] == []
    assert "the rule that this Raft lacks: a node votes for no candidate" in said
    assert main([*SMALL[:4], "--core", "right", "--replay", str(file)]) == 2
    said = capsys.readouterr().err
    assert "cannot happen there, with core right and goal small-scope: " in said
    assert "the story is one of core votes-for-any-log: another Raft says other things at other times" in said
    assert main(["explore", "--replay", str(file)]) == 1, "goal, core and scope stand in the story"
    assert capsys.readouterr().out == trace


def test_a_story_without_a_broken_promise_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "story.txt"
    file.write_text("# 1. time-out n2\nnot a step\n", encoding="utf-8")
    assert main([*SMALL, "--replay", str(file)]) == 0
    trace, said = capsys.readouterr()
    assert "no promise is broken by these steps" in said
    assert "role=candidate term=1" in trace


def test_a_story_is_found_again_with_the_budget_that_it_was_found_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--goal", "small-scope", "--tiny", "--core", "votes-for-any-log", "--budget", "300"]) == 1
    assert "--core votes-for-any-log --tiny --budget 300\n" in capsys.readouterr().err


def test_a_budget_that_is_spent_is_no_success_of_a_complete_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL[:4], "--core", "right", "--budget", "0.2"]) == 1
    assert "no promise was broken within this budget" in capsys.readouterr().err
    assert main(["explore", "--goal", "figure8", "--core", "right", "--budget", "0.2"]) == 0
    assert "seed 1: no promise was broken within this budget" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--goal", "figure9"],
        ["--goal", "figure8", "--budget", "0"],
        ["--goal", "figure8", "--core", "nobody"],
        ["--goal", "figure8", "--draw", "x.txt"],
        ["--goal", "figure8", "--seed", "-1"],
        ["--goal", "figure8", "--core", ""],
        ["--replay", ""],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explore", *arguments])
    assert ended.value.code == 2
    assert "usage: run.py sim explore" in capsys.readouterr().err
    assert main([*SMALL, "--replay", "no-such-file"]) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--goal", "figure8", "--tiny"], "--tiny is for --goal small-scope"),
        (["--goal", "small-scope", "--seed", "3"], "--seed is for --goal figure8"),
        (["--goal", "figure8", "--replay", "x", "--seed", "3"], "--seed is for a search, and --replay searches nothing"),
        (["--goal", "figure8", "--replay", "x", "--budget", "3"], "--budget is for a search, and --replay searches nothing"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explore", *arguments])
    assert ended.value.code == 2
    assert f"error: {complaint}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"# a page\n\n1. time-out n1\n", " is no story of a search"),
        (b"", " is no story of a search"),
        (b"\x89PNG\xff", "is no text"),
    ],
)
def test_a_file_without_steps_is_no_story_that_ends_well(
    content: bytes, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "page.md"
    file.write_bytes(content)
    assert main(["explore", "--goal", "figure8", "--replay", str(file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert main(["explore", "--replay", str(file)]) == 2
    assert complaint in capsys.readouterr().err


def test_what_is_wrong_with_a_story_is_not_blamed_on_a_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = tmp_path / "story.txt"
    for remarks, flags, complaint in (
        ("# goal: figure8\n# core: nobody\n", [], f"error: {story}, in its line '# core:': 'nobody': there is no file"),
        ("# goal: figure8\n# core: nobody\n", ["--core", "none"], "error: --core: 'none': there is no file"),
        ("# goal: figure8\n# core: figure8\n", ["--tiny"], f"error: --tiny: {story} is a story of another scope"),
    ):
        story.write_text(remarks + "#   1. time-out n1\n")
        with pytest.raises(SystemExit):
            main(["explore", "--replay", str(story), *flags])
        assert complaint in capsys.readouterr().err


def test_the_steps_are_told_once_on_a_terminal_and_beside_a_trace_that_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(SMALL) == 1
    trace, said = capsys.readouterr()
    assert trace.count("\n# 1. time-out n") == 1
    assert said.count("  1. time-out n") == 1
    assert trace.count("# an entry is written INDEX.TERM: 2.3 is at index 2 of a log, of term 3") == 1
    assert said.count("an entry is written INDEX.TERM: 2.3 is at index 2 of a log, of term 3") == 1
    assert "the rule that this Raft lacks: a node votes for no candidate whose log lacks what its own has" in said
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(SMALL) == 1
    again, said = capsys.readouterr()
    assert again == trace
    assert "1. time-out n" not in said


def test_where_nothing_broke_nothing_is_drawn_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "found.svg"
    assert main(["explore", "--goal", "figure8", "--core", "right", "--budget", "0.2", "--draw", str(picture)]) == 0
    assert f"nothing is drawn to {picture}: core right broke no promise" in capsys.readouterr().err
    assert not picture.exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_a_search_is_until_it_is_over() -> None:
    out, now = Terminal(), iter(range(100))
    with Progress(out, clock=lambda: float(next(now))) as progress:
        for _ in range(2048):
            progress.looked()
        assert out.getvalue() == "\r1,024 states looked at, 1 s\r2,048 states looked at, 2 s"
    assert out.getvalue().endswith("\r" + " " * len("2,048 states looked at, 2 s") + "\r")


def test_a_file_gets_a_line_of_that_every_few_seconds() -> None:
    out, now = io.StringIO(), iter(range(0, 300, 3))
    with Progress(out, clock=lambda: float(next(now))) as progress:
        for _ in range(5000):
            progress.looked()
    assert (progress.count, out.getvalue()) == (5000, "2,048 states looked at, 6 s\n4,096 states looked at, 12 s\n")


def test_making_a_story_short_is_told_apart_from_the_search() -> None:
    out, now = io.StringIO(), iter(range(0, 300, 6))
    with Progress(out, clock=lambda: float(next(now))) as progress:
        for _ in range(1024):
            progress.looked()
        for _ in range(1024):
            progress.shortened()
    first, second = out.getvalue().splitlines()
    assert first == "1,024 states looked at, 6 s"
    assert second == "a story is found, and made short: 1,024 states looked at again, 12 s"
    assert (progress.count, progress.again) == (1024, 1024)


def test_the_small_scope_says_how_each_wrong_core_is_seen_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "tiny.svg"
    assert main(["explore", "--tiny", "--draw", str(picture)]) == 0
    said = capsys.readouterr().err
    assert f"nothing is drawn to {picture}: core right broke no promise" in said
    for name in SMALL_SCOPE_CORES:
        assert f"alone:   python3 run.py sim explore --goal small-scope --core {name} --tiny --draw FILE.png" in said


def test_a_story_says_what_it_is_of() -> None:
    for origin in (Origin("figure8", "labs/my raft.py:Raft", seed=7), Origin("small-scope", "right", is_tiny=True)):
        text = "".join(f"# {line}\n" for line in origin.to_remarks()) + "# 1. time-out n1\n"
        assert Origin.of_text(text) == origin
    assert Origin.of_text("# 1. time-out n1\n") == Origin()


def test_a_raft_of_a_file_is_told_in_its_own_words() -> None:
    assert rule_of(RaftNode) == ""
    assert rule_of(CountsAnyTerm).startswith("the rule that this Raft lacks: ")
    made = load_raft("labs/stage3_raft/wrong/figure8.py:Raft")
    assert rule_of(made).startswith("what this Raft says of itself: Commits whatever a quorum has on disk")


def test_every_raft_that_lacks_a_rule_by_name_says_which() -> None:
    assert set(LEFT_OUT) == {CountsAnyTerm, *SMALL_SCOPE_CORES.values()}
    assert "Paper: Raft, section 5.4.2" in LEFT_OUT[CountsAnyTerm]


def test_searches_say_what_they_look_at() -> None:
    looks = Progress(io.StringIO())
    found = search_small(SMALL_SCOPE_CORES["votes-for-any-log"], TINY_SCOPE, looked=looks.looked)
    assert looks.count == found.result.states > 100
    looks = Progress(io.StringIO())
    search_deep(RaftNode, 1, 0.3, looks.looked)
    assert looks.count > 10


def test_making_a_story_short_has_a_budget_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    budgets: list[float] = []

    def brief(*arguments: Any, seconds_max: float, **named: Any) -> tuple[int, ...]:
        budgets.append(seconds_max)
        short: tuple[int, ...] = shrink(*arguments, **named, tries_max=200, patience=20)
        return short

    monkeypatch.setattr(goals, "shrink", brief)
    assert main(["explore", "--goal", "figure8", "--core", "commits-without-quorum", "--budget", "40"]) == 1
    said = capsys.readouterr().err
    told = re.search(r"the search needed ([\d.]+) s and (\d+) steps; (\d+) are left of them after ([\d.]+) s more\b", said)
    assert told is not None
    assert int(told[3]) < int(told[2])
    assert budgets[0] == 40, "as much again as the search may take"
    assert "the budget ended before" not in said


def test_a_story_that_was_not_made_as_short_as_it_can_be_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Stopwatch, "is_over", lambda watch: watch.seconds > 0 and watch.is_late)
    monkeypatch.setattr(Stopwatch, "is_late", False, raising=False)

    def late(_: GroupModel, steps: tuple[int, ...], *__: object, **___: object) -> tuple[int, ...]:
        monkeypatch.setattr(Stopwatch, "is_late", True)
        return steps

    monkeypatch.setattr(goals, "shrink", late)
    assert main(["explore", "--goal", "figure8", "--core", "commits-without-quorum"]) == 1
    assert "; the budget ended before it was as short as it can be" in capsys.readouterr().err


STUMBLES = """from mq.raft.node import RaftNode


class Raft(RaftNode):
    __slots__ = ()

    def _is_up_to_date(self, last):
        return 1 // 0
"""


def test_a_core_that_stumbles_is_told_with_the_line_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(STUMBLES, encoding="utf-8")
    place = "mine.py, line 8, in _is_up_to_date: ZeroDivisionError: "
    assert main([*SMALL[:4], "--core", f"{file}:Raft"]) == 1
    trace, said = capsys.readouterr()
    assert "broken: a node never contradicts itself" in said
    assert place in said
    assert "\n# 1. time-out n" in trace
    assert main(["explore", "--goal", "figure8", "--core", f"{file}:Raft", "--budget", "0.3"]) == 0
    said = capsys.readouterr().err
    assert (
        "a node raised an error. This search takes no notice of that, and goes on elsewhere; small-scope looks for it. The"
        in said
    )
    assert place in said


def test_a_right_core_never_stumbles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--goal", "figure8", "--core", "right", "--budget", "2"]) == 0
    assert "raised an error" not in capsys.readouterr().err
