"""Cheats that lie in what is handed in, or that wait: archives that lead elsewhere, files for others, patches, threads."""

import os
import signal
import stat
import zipfile
from pathlib import Path

import pytest

from labs.grader import grading
from labs.grader.box import Box
from labs.grader.cli_class import key_of
from labs.grader.files import write_files
from labs.grader.gradescope import KEY_FILE
from labs.grader.grading import grade_of
from labs.grader.page import page_of
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.seeds import Seeds
from labs.grader.submission import SubmissionError, read_submission
from mq.cli.main import main
from tests.labs.helpers import LAB1A, NO_SYNC, outcomes_of, skeleton, solution

WRITES, OPENS, FAULTS = "1.2", "1.22", "2.1"


# ---------------------------------------------------------------- archives


def packed(file: Path, *entries: tuple[str, str, int]) -> Path:
    """A zip of entries: name, text, mode."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, text, mode in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename, entry.external_attr = name, mode << 16  # as it is: the class would make a path of it
            archive.writestr(entry, text)
    return file


PLAIN, LINK, PIPE, DEVICE = (kind | 0o644 for kind in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK))


@pytest.mark.parametrize("mode", [LINK, PIPE, DEVICE], ids=["link", "pipe", "device"])
@pytest.mark.parametrize("name", ["commit_log.py", "kills.txt", "more.py"])
def test_what_is_no_plain_file_in_a_zip_is_refused(mode: int, name: str, tmp_path: Path) -> None:
    entries = {"commit_log.py": ("hal/commit_log.py", "x = 1\n", PLAIN), name: (f"hal/{name}", "/etc/passwd", mode)}
    file = packed(tmp_path / "hal.zip", *entries.values())
    with pytest.raises(SubmissionError, match=f"{name} is a link, or no plain file"):
        read_submission(file, "commit_log.py", ["kills.txt"])


@pytest.mark.parametrize("way", ["../", "../../", "/", "/etc/", "//x/", "x/../../", "C:\\", "..\\"])
def test_paths_in_a_zip_lead_nowhere(way: str, tmp_path: Path) -> None:
    """No path is used: a file is known by its bare name, in the folder of the organ's file, and all else is left alone."""
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    file = packed(
        inside / "hal.zip",
        ("hal/commit_log.py", "x = 1\n", PLAIN), ("hal/more.py", "y = 1\n", PLAIN),
        *((f"{way}{name}", "raise SystemExit\n", PLAIN) for name in ("more.py", "scan.py", "__init__.py", "sitecustomize.py")),
        (f"hal/x/{way}recovery.py", "raise SystemExit\n", PLAIN),
    )  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    submission = read_submission(file, "commit_log.py")
    assert submission.files == {"commit_log.py": b"x = 1\n", "more.py": b"y = 1\n"}
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("way", ["../", "/", "/tmp/", "a/../../"])
def test_an_organ_that_lies_elsewhere_is_put_where_it_belongs(way: str, tmp_path: Path) -> None:
    submission = read_submission(packed(tmp_path / "hal.zip", (f"{way}commit_log.py", "x = 1\n", PLAIN)), "commit_log.py")
    with Box("lab", submission, ()) as box:
        assert (box.folder / "lab/commit_log.py").read_bytes() == b"x = 1\n"
        names = {file.name for file in box.folder.parent.rglob("*.py")}
        assert names == {"commit_log.py", "__init__.py", "worker.py", "encoding.py", "shut_in.py"}
    assert set(submission.files) == {"commit_log.py"}


# ---------------------------------------------------------------- files for other programs

FOR_OTHERS = {
    "pytest.ini": "[pytest]\naddopts = --collect-only\npython_files = nothing\n",
    "setup.cfg": "[tool:pytest]\naddopts = -p no:assertion\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--co'\n",
    "tox.ini": "[pytest]\naddopts = --co\n",
    "conftest.py": "raise SystemExit(0)\n",
    "all.pth": "import os; os._exit(0)\n",
    "usercustomize.py": "raise SystemExit(0)\n",
    "lab.toml": "points = 100\n",
    "result.json": '{"score": 100}\n',
    "graded.json": '{"score": 100}\n',
}


def test_settings_of_a_test_runner_and_results_in_the_folder_change_nothing(tmp_path: Path) -> None:
    for kind, submission in (("right", solution()), ("skeleton", skeleton())):
        folder = tmp_path / kind
        folder.mkdir()
        for name, text in FOR_OTHERS.items():
            (folder / name).write_text(text)
        for name, data in submission.files.items():
            (folder / name).write_bytes(data)
        found = read_submission(folder, "commit_log.py", LAB1A.texts)
        assert set(FOR_OTHERS).isdisjoint(found.files)
        assert found.mark == submission.mark, "they do not even change the seeds"
        outcomes = outcomes_of(found, WRITES, OPENS)
        assert {outcome.is_passed for outcome in outcomes.values()} == {kind == "right"}


# ---------------------------------------------------------------- patches

PATCHES = """
import hashlib, hmac, random, time
for _name in ("time", "monotonic", "perf_counter", "process_time"):
    setattr(time, _name, lambda: 0.0)
_Hash = type("Hash", (), {"digest": lambda self: b"0" * 32, "hexdigest": lambda self: "0" * 64, "update": lambda self, _: None})
for _name in ("sha256", "blake2b", "md5", "new"):
    setattr(hashlib, _name, lambda *_, **__: _Hash())
hmac.new = lambda *_, **__: _Hash()
for _name in ("random", "randrange", "getrandbits", "choice", "shuffle", "seed"):
    setattr(random.Random, _name, lambda *_, **__: 0)
    setattr(random, _name, lambda *_, **__: 0)
"""
TEXT_EQUAL_TO_ALL = """
class Anything(str):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __contains__(self, other): return True
    def startswith(self, *_): return True
"""


def test_clock_chance_and_fingerprints_are_the_graders_own() -> None:
    """What a submission makes of them in its own process changes neither seeds nor verdicts, for better or worse."""
    honest = outcomes_of(solution(commit_log=PATCHES), WRITES, OPENS)
    assert [outcome.message for outcome in honest.values()] == ["", ""]
    assert not any(outcome.is_passed for outcome in outcomes_of(skeleton(commit_log=PATCHES), WRITES, FAULTS).values())
    plain, patched = (outcomes_of(solution(commit_log=NO_SYNC + code), FAULTS)[FAULTS] for code in ("", PATCHES))
    assert not plain.is_passed
    assert not patched.is_passed
    assert patched.failure is not None
    assert plain.failure is not None
    assert patched.failure.promise == plain.failure.promise


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        ("Create(Anything('log/x'), 8)", "something whose `plan[0].file` is Anything, expected str"),
        ("Write(Anything('log/x'), 0, b'x')", "something whose `plan[0].file` is Anything, expected str"),
        (r"Create('log/\ud800', 8)", "`plan[0].file` is a str with half of a character in it (a lone surrogate), expected str"),
    ],
    ids=["equal to all", "equal to all, written", "half of a character"],
)
def test_a_text_that_is_none_does_not_cross(plan: str, found: str) -> None:
    code = f"{TEXT_EQUAL_TO_ALL}\nCommitLog.append = lambda self, *arguments: Appended(({plan},), (), 1)"
    outcome = outcomes_of(solution(commit_log=code), WRITES)[WRITES]
    assert not outcome.is_passed
    assert found in outcome.message


FORKS = {
    "both answer": "import os\nos.fork()\n",
    "the child answers": "import os\nif os.fork(): os._exit(0)\n",
    "both answer, the child from a session of its own": "import os\nif not os.fork(): os.setsid()\n",
}


@pytest.mark.parametrize("how", FORKS)
def test_two_that_answer_earn_nothing_that_one_would_not(how: str) -> None:
    assert not any(outcome.is_passed for outcome in outcomes_of(skeleton(commit_log=FORKS[how]), WRITES, OPENS).values())


# ---------------------------------------------------------------- the end

WAITS_FOR_THE_END = """
import atexit, os, threading, time
open({place!r} + str(os.getpid()), "w").close()
def write():
    with open({target!r}, "w") as file:
        file.write('{{"score": 100}}')
def wait():
    while "did not finish" in open({target!r}).read():
        time.sleep(0.01)
    write()
atexit.register(write)
for is_daemon in (True, False):
    threading.Thread(target=wait, daemon=is_daemon).start()
"""


def test_threads_and_exit_handlers_that_wait_for_the_end_are_gone_before_it(tmp_path: Path) -> None:
    place, target = tmp_path / "pids", tmp_path / "out/result.json"
    place.mkdir()
    code = WAITS_FOR_THE_END.format(place=f"{place}/", target=str(target))
    submission = skeleton(commit_log=code)
    grade = grade_of(LAB1A, submission, Seeds(), folder=target.parent, tell=lambda outcome: outcome.number != WRITES)
    assert grade.score == 0
    pids = [int(file.name) for file in place.iterdir()]
    assert pids, "it was never imported"
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)
    assert '"reason": "not all tests were run"' in target.read_text()


class Broken:
    """A picture of what a student's code sent."""

    def svg(self) -> str:
        return "<svg>\ud800</svg>"

    def lines(self) -> list[str]:
        return ["\udfff"]


def test_half_of_a_character_does_not_keep_a_grade_from_being_written(tmp_path: Path) -> None:
    failure = Failure("A promise", found="\ud800", figure=Broken())
    grade = Grade(LAB1A.id, "t", "m", (Outcome("1.1", "one", 2, failure=failure),), reason="")
    assert "data:image/svg+xml;base64," in page_of(grade)
    write_files(tmp_path, grade)
    assert {file.name for file in tmp_path.iterdir()} == {"result.json", "results.json", "report.html"}


def test_a_grade_that_cannot_be_written_is_0_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path, grade: Grade) -> None:
        if grade.outcomes:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        write_files(folder, grade)

    monkeypatch.setattr(grading, "write_files", write)
    grade = grade_of(LAB1A, skeleton(), Seeds(), folder=tmp_path, tell=lambda _outcome: False)
    assert grade.score == 0
    assert grade.reason.startswith("the grade could not be written: UnicodeEncodeError: ")
    assert '"reason": "the grade could not be written: UnicodeEncodeError: ' in (tmp_path / "result.json").read_text()
    assert '"score": 0' in (tmp_path / "result.json").read_text()


# ---------------------------------------------------------------- the key


@pytest.mark.parametrize("written", ["quiet", "quiet\n", " \tquiet \r\n", "\n\nquiet\x0b"])
def test_the_same_key_draws_the_same_seeds_here_and_in_gradescope(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "course.key", tmp_path / "out.zip"
    file.write_bytes(written.encode())
    monkeypatch.setenv("MQ_COURSE_KEY", written)
    assert main(["lab", "zip", "lab1a", "--out", str(out)]) == 0
    with zipfile.ZipFile(out) as archive:
        there = archive.read(KEY_FILE).strip()  # as `labs.grader.gradescope` reads it
    here = {key_of(None, None).encode(), key_of(None, file).encode()}
    assert here == {there} == {b"quiet"}


def test_a_file_without_a_key_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "course.key").write_text(" \n")
    (tmp_path / "commit_log.py").write_text("")
    for command in (["zip", "lab1a"], ["grade", "lab1a", str(tmp_path)]):
        assert main(["lab", *command, "--key-file", str(tmp_path / "course.key"), "--out", str(tmp_path / "out")]) == 2
        assert "course.key holds no key. Make one: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_key_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MQ_COURSE_KEY", os.fsdecode(b"\xff\xfe"))
    assert main(["lab", "grade", "lab1a", "nowhere"]) == 2
    assert "the key cannot be read: " in capsys.readouterr().err
