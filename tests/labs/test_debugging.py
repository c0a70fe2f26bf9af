"""What a student looks at when something fails: prints, the line, the disk, what to read; and what none of it can do."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labs.grader.cell import cell_of
from labs.grader.lab import find_lab
from labs.grader.notebook import check, replay
from labs.grader.page import page_of
from labs.grader.replay import ReplayError, case_of, replayed, replayed_grade
from labs.grader.report import failure_lines, outcome_line, printed_lines
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of, write_all, written_up_to
from labs.grader.strips import legend, strips_of
from labs.grader.submission import Submission
from labs.grader.suite import Run
from labs.grader.told import ToldError
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body
from mq.broker.store.commit_log import CommitLog
from mq.cli.main import main
from mq.core.entry import HardState
from mq.core.ids import Term
from tests.labs.helpers import LAB1A, NO_SYNC, ROOT, check_of, outcomes_of, solution

FORGED = "ok      2/2  1.9   nothing is durable before synced says so"
NOISY = f"""
import sys
_silent = CommitLog.append
def append(self, *arguments):
    print("index", int(arguments[0]), flush=False)
    print({FORGED!r})
    print("\\x1b[2J\\x1b[H\\r{FORGED}\\u2028{FORGED}\\x0c{FORGED}\\x85" + "wide " * 40, file=sys.stderr)
    print("lab1a_commit_log: 100 of 100 points in 1.0 s (for marks)")
    return _silent(self, *arguments)
CommitLog.append = append
"""
READMES = ("labs/stage0_tools/lab0_tools/README.md", f"{LAB1A.folder.relative_to(ROOT).as_posix()}/README.md")
FLOOD = """
_quiet = CommitLog.append
def append(self, *arguments):
    for number in range(3000):
        print("a line that says little", number)
    return _quiet(self, *arguments)
CommitLog.append = append
"""
ENDLESS = """
def recover(self, files, checkpoint=None):
    while True:
        yield Read("log/00000000000000000000.log", 0, 8)
CommitLog.recover = recover
"""


def edited(file: str, right: str, wrong: str) -> Submission:
    """The reference with one edit."""
    files = solution_of(LAB1A)
    assert files[file].count(right) == 1
    made = {**files, file: files[file].replace(right, wrong)}
    return Submission({name: text.encode() for name, text in made.items() if name != "__init__.py"})


def told(token: str, submission: Submission) -> str:
    """A replay that fails, as the terminal shows it."""
    outcome, _ = replayed(LAB1A, token, submission)
    assert outcome.failure is not None
    return "\n".join(failure_lines(outcome))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hand_in(folder: Path, submission: Submission) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in submission.files.items():
        (folder / name).write_bytes(data)
    return str(folder)


# ---------------------------------------------------------------- prints


@pytest.mark.parametrize(("text", "token", "code"), [("", "lab1a:1.10", 0), (NO_SYNC, "lab1a:1.2", 1), ("", "lab1a:2.1:7", 0)])
def test_a_replay_shows_what_the_code_prints_and_none_of_it_looks_like_ours(
    text: str, token: str, code: int, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = hand_in(folder / "mine", solution(commit_log=text + NOISY))
    assert main(["lab", "replay", token, path]) == code, "what is printed changes nothing"
    said = capfd.readouterr()
    before, sign, printed = said.out.partition("Your code printed:\n")
    assert sign
    assert "| index " in printed
    assert FORGED in printed
    lines = re.split(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", printed.rstrip("\n"))
    theirs = lines[:-1] if lines[-1].startswith("picture:") else lines
    assert [line for line in theirs if not line.startswith("  | ")] == []
    assert max(map(len, theirs)) < 80, "no terminal wraps it"
    assert FORGED not in before
    assert "\x1b" not in said.out


def test_what_is_printed_is_in_the_page_and_in_the_notebook_of_a_replay() -> None:
    outcome, run = replayed(LAB1A, "lab1a:1.2", solution(commit_log=NO_SYNC + NOISY))
    grade = replayed_grade(LAB1A, outcome, run)
    assert "| index 0" in "\n".join(printed_lines(grade.printed))
    assert "What your code printed</h2><pre>" in page_of(grade)


def test_a_flood_of_prints_is_cut_and_changes_no_grade() -> None:
    outcome, run = replayed(LAB1A, "lab1a:1.2", solution(commit_log=FLOOD))
    assert outcome.is_passed
    assert 0 < len(run.printed) <= 2 * 4096, "of each of two processes the end"
    assert run.printed.rstrip().endswith("a line that says little 2999")
    numbers = ("1.2", "1.9", "1.19")
    quiet, loud = (outcomes_of(solution(commit_log=text), *numbers) for text in ("", NOISY))
    assert [replace(one, seconds=0.0) for one in loud.values()] == [replace(one, seconds=0.0) for one in quiet.values()]


def test_nothing_is_shown_of_code_that_prints_nothing() -> None:
    assert printed_lines(" \n") == []
    assert printed_lines("a\n\nb") == ["", "Your code printed:", "  | a", "  | ", "  | b"]
    assert printed_lines("x" * 100)[2:] == ["  | " + "x" * 70, "  |   " + "x" * 30]


# ---------------------------------------------------------------- what is told


def test_the_step_that_took_a_file_away_is_in_the_story_also_when_the_log_begins_where_it_began() -> None:
    wrong = edited("commit_log.py", "if self._unsynced.is_superseding:", "if False:")
    said = told("lab1a:2.3:76657084:3.4.7.10.13.15.16.17.19", wrong)
    assert "9  drop what is before entry 2: 0.log removed, the log begins at 1" in said
    assert "read:      README, rule 6 and rule 13" in said


def test_an_error_of_a_given_helper_says_the_line_that_led_to_it_the_disk_and_what_to_read() -> None:
    wrong = edited("commit_log.py", "before.lowered = state.enter(", "state.enter(")
    said = told("lab1a:2.3:taken-back", wrong)
    assert re.search(r"found: +StateError: .*raised by `entries` \(scan\.py,\s+line \d+, in read_entries\)", said, re.DOTALL)
    assert "read:      README, rule 10" in said
    assert "what is on the disk:\n" in said
    assert "|H|[5·1]" in said


def test_the_term_before_the_first_entry_leads_to_who_must_say_it() -> None:
    wrong = edited("commit_log.py", "if entries and after_index + 1 < segment.next_index:", "if after_index == -1:")
    said = told("lab1a:2.3:back-behind-a-header", wrong)
    assert "README, rule 13, and methods `CommitLog.append` and `_Recovery._enter`" in said


def test_an_endless_reading_is_told_as_one_with_its_rule() -> None:
    said = told("lab1a:1.22", solution(commit_log=ENDLESS))
    assert "A method that reads comes to its end." in said
    assert "read:      README, rule 6" in said


@pytest.mark.parametrize(
    ("number", "line"), [("1.14", "read entries 2 to 9, about 0 bytes"), ("1.16", "read entries 1 to 8, about")]
)
def test_what_was_called_is_in_the_story(number: str, line: str) -> None:
    run = Run()
    check_of(number).cases(Seeds())[0].play(CommitLog, (), run)
    assert any(one.startswith(line) for one in run.story)


def test_what_is_wrong_is_told_before_what_is_not_written_yet(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = written_up_to(LAB1A, 2)
    right = "if entries and after_index + 1 < segment.next_index:"
    files["commit_log.py"] = files["commit_log.py"].replace(right, "if after_index == -1:")
    write_all(folder / "mine", files)
    assert main(["lab", "check", "lab1a", "mine"]) == 1
    out = capfd.readouterr().out
    assert "--- 1.31 " in out
    assert "--- 1.4 " not in out
    write_all(folder / "more", written_up_to(LAB1A, 2))
    assert main(["lab", "check", "lab1a", "more"]) == 1
    assert "--- 1.4 " in capfd.readouterr().out


def test_a_test_that_fails_as_the_one_before_it_says_as_which() -> None:
    failed = Outcome("3.1", "a search", 13, failure=Failure("It breaks"))
    assert outcome_line(failed, as_before="2.1") == "FAIL   0/13  3.1   a search  (as 2.1)"
    assert outcome_line(failed).endswith("\n                    It breaks")


def test_a_check_of_another_folder_leaves_the_page_of_ones_own_work(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    own = folder / "work" / "results" / LAB1A.id
    own.mkdir(parents=True)
    (own / "report.html").write_text("mine")
    path = hand_in(folder / "other", edited("commit_log.py", "if self._unsynced.is_superseding:", "if False:"))
    assert main(["lab", "replay", "lab1a:1.35", path]) == 1
    assert "picture:   work/results/elsewhere/lab1a_commit_log/replay/report.html" in capfd.readouterr().out
    write_all(folder / "empty", skeleton_of(LAB1A))
    assert main(["lab", "grade", "lab1a", "empty"]) == 0
    assert "report: work/results/elsewhere/lab1a_commit_log/report.html" in capfd.readouterr().out
    assert (own / "report.html").read_text() == "mine"


def test_a_test_that_has_seeds_says_how_one_is_replayed() -> None:
    with pytest.raises(ReplayError, match=r"no case ''; it is run by a word such as lab1a:2\.3:figure-8"):
        case_of(LAB1A, "lab1a:2.3")
    assert case_of(LAB1A, "lab1a:4.2")[0].number == "4.2"


def test_a_lab_that_is_one_run_says_why_it_has_nothing_to_replay(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_all(tmp_path, skeleton_of(find_lab("lab3f")))
    assert main(["lab", "replay", "lab3f:2.1", str(tmp_path)]) == 2
    told = " ".join(capfd.readouterr().err.split())
    assert "one run of real nodes decides all its tests; mq lab check lab3f makes another run" in told


# ---------------------------------------------------------------- pictures


def test_what_a_group_stands_behind_is_not_drawn_as_an_entry() -> None:
    bench = Bench(CommitLog, Run())
    for number in range(1, 4):
        bench.append(body(number, 600), term=1, hard_state=HardState(Term(1), None))
    bench.append(body(20), after=1, term=2, hard_state=HardState(Term(2), None))
    assert "[2·2 after 1·1 term 2]" in strips_of(bench.disk)[-1]
    assert "after index·term: " in legend()
    failure = Failure("It breaks", disks=(("a disk", bench.disk),))
    page = page_of(Grade("lab1a", "t", "m", (Outcome("2.1", "x", 7, failure=failure),)))
    picture, _, text = page.partition("data:image/png;base64,")
    assert picture
    about = "A group&#x27;s last boxes may be no entries: <code>term t</code> is the hard state"
    assert about in text.partition("<details>")[0], "it is no button to click on"
    assert "<summary>The disk in text</summary>" in text
    assert "after 1·1" in text


def test_students_are_told_how_to_debug_and_to_keep_what_they_change() -> None:
    text = (ROOT / "labs" / "grader" / "for_students.md").read_text(encoding="utf-8")
    assert "git init && git add -A && git commit" in text
    for readme in (text, *((ROOT / lab).read_text(encoding="utf-8") for lab in READMES)):
        assert "Debugging" in readme
        assert "`print`" in readme


# ---------------------------------------------------------------- all failures, and other folders


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the sentences, so that it takes seconds."""
    suite = replace(LAB1A.suite, checks=tuple(check for check in LAB1A.suite.checks if check.ring == 1))
    monkeypatch.setattr(sys.modules[LAB1A.suite_module], "SUITE", suite)


@pytest.mark.usefixtures("brief")
def test_a_check_of_all_shows_each_failure_on_the_page_and_the_command_that_repeats_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = hand_in(folder / "my log", solution(commit_log=NO_SYNC))
    assert main(["lab", "check", "--all", "lab1a", path]) == 1
    out = capfd.readouterr().out
    failed = re.findall(r"^FAIL +0/\d+ +([\d.]+) ", out, re.MULTILINE)
    assert len(failed) > 1
    for number in failed:
        assert f"again: mq lab replay lab1a:{number} '{path}'\n" in out, "the word alone would replay one's own work"
    page = (folder / "work/results/elsewhere/lab1a_commit_log/report.html").read_text(encoding="utf-8")
    assert re.findall(r'<h2 id="t([\d.]+)">', page) == failed
    assert page.count("<tr class=") == len(LAB1A.suite.checks)
    assert page.count("mq lab replay lab1a:") == len(failed)
    assert page.count("my log&#x27;</code>") == len(failed)
    assert main(["lab", "check", "lab1a", path]) == 1
    assert "again: mq lab replay" not in capfd.readouterr().out, "the list of a check stays short"


@pytest.mark.usefixtures("brief")
def test_what_a_check_shows_of_prints_is_of_the_failure_that_it_explains(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = hand_in(folder / "mine", solution(commit_log=NO_SYNC + NOISY))
    assert main(["lab", "check", "lab1a", path]) == 1
    shown = capfd.readouterr().out
    number = re.search(r"^--- ([\d.]+) ", shown, re.MULTILINE)
    assert number is not None
    assert f"\nYour code printed in {number[1]}:\n" in shown
    main(["lab", "check", "lab1a", path, "--all"])
    assert f"\nYour code printed in {number[1]}:\n" in capfd.readouterr().out
    page = (folder / "work/results/elsewhere/lab1a_commit_log/report.html").read_text(encoding="utf-8")
    assert f"What your code printed in {number[1]}</h2>" in page
    assert main(["lab", "replay", f"lab1a:{number[1]}", path]) == 1
    alone = capfd.readouterr().out

    def theirs(text: str) -> list[str]:
        return [line for line in text.split("\n") if line.startswith("  | ")]

    assert theirs(shown) == theirs(alone)


@pytest.mark.usefixtures("brief")
def test_a_notebook_says_which_folder_is_replayed_and_whose_prints_these_are(folder: Path) -> None:
    path = hand_in(folder / "mine", solution(commit_log=NO_SYNC + NOISY))
    shown = check("lab1a", path)
    first = shown.grade.first_failure
    assert first is not None
    html = shown._repr_html_()
    assert f"<code>replay(\"{first.replay}\", '{path}')</code>" in html
    assert f"What your code printed in {first.number}<" in html
    assert f"again:     mq lab replay {first.replay} {path}" in repr(shown)


# ---------------------------------------------------------------- from further down in the course


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a course, and in it the one of a lab that was begun: this is where one is."""
    (folder / "course.toml").write_text("")
    assert main(["lab", "start", "lab1a"]) == 0
    monkeypatch.chdir(folder / "work" / LAB1A.id)
    return folder


def test_from_inside_of_the_work_folder_it_is_the_same_work_and_no_second_one(
    inside: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert main(["lab", "check", "lab1a"]) == 1
    said = capfd.readouterr()
    assert "--- 1.1 " in said.out
    assert said.err == f"The course is in {inside}: your work is taken from its folder `work`.\n"
    assert main(["lab", "start", "lab0"]) == 0
    assert main(["lab", "list"]) == 0
    assert "../lab0_tools" in capfd.readouterr().out
    assert sorted(each.name for each in (inside / "work").iterdir()) == ["lab0_tools", LAB1A.id, "results"]
    assert not (inside / "work" / LAB1A.id / "work").exists()


def test_in_the_folder_of_the_course_nothing_is_said_of_where_it_is(
    inside: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inside)
    capfd.readouterr()
    assert main(["lab", "list"]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert f"work/{LAB1A.id}" in said.out


# ---------------------------------------------------------------- what Python cannot read, and marks in a text


@pytest.mark.usefixtures("brief")
def test_a_file_that_python_cannot_read_is_shown_with_the_line_and_no_word_to_repeat_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = hand_in(folder / "mine", solution(unsynced="def broken(self):\n    retrun self.x  # <b>"))
    assert main(["lab", "check", "--all", "lab1a", path]) == 1
    out = capfd.readouterr().out
    assert "\nYour files cannot be imported.\nfound:     SyntaxError: invalid syntax (unsynced.py, line " in out
    assert re.search(r"\n +\d+ \|     retrun self\.x  # <b>\n {8}           \^\n", out)
    assert "mq lab replay" not in out
    page = (folder / "work/results/elsewhere/lab1a_commit_log/report.html").read_text(encoding="utf-8")
    assert "retrun self.x  # &lt;b&gt;" in page
    assert "retrun self.x  # &lt;b&gt;" in check("lab1a", path)._repr_html_()


def test_what_stands_between_backticks_is_code_on_a_page_and_in_a_notebook() -> None:
    failure = Failure("`<b>` is not written yet", "`offset_at(6)` says 6", "a ` alone", "README, method `roll`", ("`one`",))
    outcome = Outcome("1.1", "a test", 2, failure=failure, replay="lab1a:1.1")
    grade = Grade("lab1a", "t", "m", (outcome, replace(outcome, number="1.2")))
    for told in (page_of(grade), cell_of(grade)):
        assert "<code>&lt;b&gt;</code> is not written yet." in told
        assert "<code>offset_at(6)</code> says 6" in told
        assert "<dd>a ` alone</dd>" in told
        assert "<code>roll</code>" in told
        assert "<li><code>one</code></li>" in told


def test_a_mistyped_word_is_told_in_a_notebook_without_a_way_through_our_code(folder: Path) -> None:
    path = hand_in(folder / "mine", solution())
    for call, word, where in ((replay, "lab1a:77", path), (replay, "lab9:1.1", path), (check, "lab1a", str(folder / "none"))):
        with pytest.raises(ToldError) as caught:
            call(word, where)
        (line,) = caught.value._render_traceback_()
        assert line == f"{type(caught.value).__name__}: {caught.value}"
