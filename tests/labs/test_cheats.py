"""Each cheat comes to 0, or to what was honestly earned.

Here is what practice mode stops on every system; `test_shut_in.py` has what it stops where Linux has Landlock: reading what lies
elsewhere on the machine, connections, signals. A container is needed against fork bombs and full disks: those are not tried here.
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labs.grader import process
from labs.grader.box import Box
from labs.grader.grading import grade_of
from labs.grader.process import ProcessGoneError, WorkerProcess
from labs.grader.remote import opening_of
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission, SubmissionError, read_submission
from tests.labs.helpers import LAB1A, outcomes_of, skeleton, solution

WRITES = "1.2"
OPENS = "1.22"

AT_IMPORT = {
    "leaves": ("import os; os._exit(0)", "the process ended in the middle of it"),
    "leaves politely": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "forks and leaves": ("import os; os.fork() and os._exit(0)", ""),
    "reaches for the reference": (
        "from mq.broker.store.commit_log import CommitLog",
        "No module named 'mq.broker.store.commit_log'",
    ),
    "follows Python's own path to the reference": (
        "import sys; open(sys.executable.split('/.venv/')[0] + '/mq/broker/store/commit_log.py').read()",
        "Not a directory" if sys.platform != "win32" else "No such file",
    ),
    "reaches for the marks": ("import labs.grader.result", "No module named 'labs.grader.result'"),
    "reaches for the grader": ("import labs.grader.running", "No module named 'labs.grader.running'"),
    "reaches for what is installed": ("import pytest", "No module named 'pytest'"),
    "takes all memory": ("x = bytearray(1 << 34)", "MemoryError"),
    "goes too deep": ("def f(): f()\nf()", "RecursionError"),
    "has no class": ("del CommitLog", "commit_log.py has no class CommitLog"),
    "has a function for a class": ("def CommitLog(**named): return None", "commit_log.py has no class CommitLog"),
    "is no Python": ("def (", "SyntaxError"),
}

EQUALS_ALL = """
class Anything(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
CommitLog.last_index = property(lambda self: Anything(3))
"""
READS_FOR_EVER = """
def recover(self, files, checkpoint=None):
    while True:
        yield Read("log/x", 0, 1)
CommitLog.recover = recover
"""
LONG_ERROR = """
def append(self, *arguments):
    raise ValueError(repr(arguments) * 9999)
CommitLog.append = append
"""
MUTE_ERROR = """
class Mute(Exception):
    def __str__(self): raise Mute()
def append(self, *arguments):
    raise Mute()
CommitLog.append = append
"""
OWN_ANSWER = """
import os
import re
def append(self, *arguments):
    for fd in range(3, 12):
        try: os.write(fd, b'{"id":"0","value":null}' + bytes([10]))
        except OSError: pass
    return 3
CommitLog.append = append
"""
OWN_WORKER = """
import sys
worker = sys.modules["__main__"]
worker.Worker.answer = lambda self, request: {"id": request["id"], "value": None, "seen": [{"value": 1}] * 5}
"""
NESTED = """
import sys
worker = sys.modules["__main__"]
assert worker._to_json({"a": 1}) == '{"a":1}'
worker._to_json = lambda answer: '{"id":"%s","value":' % answer["id"] + "[" * 90000
"""


def returns(plan: str) -> str:
    """A log whose `append` returns this plan."""
    return f"CommitLog.append = lambda self, *arguments: Appended(({plan},), (), 1)"


MANY_LARGE_FILES = """
def append(self, *arguments):
    return Appended(tuple(Create(f"log/{number}", 1 << 20) for number in range(200)), (), 1)
CommitLog.append = append
"""

OVER_THE_PIPE = {
    "an int that is equal to everything": (EQUALS_ALL, "1.8", "`last_index` is Anything, expected int"),
    "a bool for a number": ("CommitLog.last_index = property(lambda self: True)", "1.8", "`last_index` is bool, expected int"),
    "a list for a plan": ("CommitLog.note_durable = lambda self: []", "1.26", "`note_durable` returned list, expected tuple"),
    "nothing for a plan": (
        "CommitLog.append = lambda self, *arguments: None",
        WRITES,
        "`append` returned None, expected Appended",
    ),
    "text for bytes": (
        returns("Write('log/x', 0, 'x')"),
        WRITES,
        "`append` returned something whose `plan[0].data` is str, expected bytes",
    ),
    "a plan that fills the tester's memory": (returns("Create('log/x', 1 << 60)"), WRITES, "`append` returned Create"),
    "many files that fill it together": (MANY_LARGE_FILES, WRITES, "a plan needs 2,097,152 bytes at most, but `append`"),
    "a write far away": (returns("Write('log/x', 1 << 60, b'x')"), WRITES, "`append` returned Write"),
    "a plan that leaves the folder": (returns("Create('log/../../x', 8)"), WRITES, "`append` returned Create"),
    "a plan that goes backwards": (returns("Write('log/x', -4, b'x')"), WRITES, "`append` returned Write"),
    "a number that never ends": ("CommitLog.last_index = property(lambda self: 1 << 20000)", "1.8", ""),
    "an answer that never ends": (returns("Write('log/x', 0, bytes(1 << 23))"), WRITES, "more than 4 MiB"),
    "reads for ever": (READS_FOR_EVER, OPENS, "`recover` wants to read for ever"),
    "no generator": ("CommitLog.recover = lambda self, *arguments: 3", OPENS, "`recover` is no generator"),
    "an error that tells a novel": (LONG_ERROR, WRITES, "ValueError"),
    "an error that cannot be told": (MUTE_ERROR, WRITES, "Mute"),
    "an answer of its own": (OWN_ANSWER, WRITES, "something wrote into the pipe that belongs to the grader"),
    "a worker of its own": (OWN_WORKER, WRITES, ""),
    "JSON nested without end": (NESTED, WRITES, ""),
}


@pytest.mark.parametrize("cheat", AT_IMPORT)
def test_what_a_submission_does_when_it_is_imported_earns_nothing(cheat: str) -> None:
    code, complaint = AT_IMPORT[cheat]
    outcome = outcomes_of(skeleton(commit_log=code), WRITES)[WRITES]
    assert not outcome.is_passed
    assert complaint in outcome.message


@pytest.mark.parametrize("cheat", OVER_THE_PIPE)
def test_what_crosses_the_border_is_data_of_exact_types_or_nothing(cheat: str) -> None:
    code, number, complaint = OVER_THE_PIPE[cheat]
    outcome = outcomes_of(solution(commit_log=code), number)[number]
    assert not outcome.is_passed
    assert complaint in outcome.message
    assert len(outcome.message) < 2000


def test_files_that_cannot_be_imported_are_asked_for_once_and_told_so_by_each_test() -> None:
    started: list[WorkerProcess] = []

    def start(box: Box, opening: dict[str, object]) -> WorkerProcess:
        started.append(WorkerProcess(box.folder, opening))
        return started[-1]

    outcomes = outcomes_of(solution(scan="def ("), WRITES, "1.3", OPENS, "2.1", "3.1", start=start)
    assert {outcome.message.partition(" (")[0] for outcome in outcomes.values()} == {
        "Your files cannot be imported: SyntaxError: invalid syntax"
    }
    assert len(started) <= 2, "they are started in pairs"


def test_a_binary_file_is_named() -> None:
    found = outcomes_of(Submission({**solution().files, "scan.py": b"x = 1\0"}), "1.3")["1.3"]
    assert re.fullmatch(r"Your files cannot be imported: \w+: source code .*null bytes \(scan\.py\)", found.message)


def test_a_loop_without_end_while_a_file_is_imported_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START_SECONDS_MAX", 5.0)
    found = outcomes_of(solution(scan="while True: pass\n"), "1.3")["1.3"]
    assert found.failure is not None
    assert found.failure.is_gone
    told = (
        "The import of your files comes to its end: the import of commit_log.py, with all that it imports: it did not come back"
    )
    assert found.message.startswith(told)


def test_a_loop_without_end_that_ignores_signals_is_ended_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS_MAX", 1.0)
    code = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def append(self, *arguments):
    while True: pass
CommitLog.append = append
"""
    outcomes = outcomes_of(solution(commit_log=code), "1.2", "1.3", "1.4", "1.5")
    assert [outcome.is_passed for outcome in outcomes.values()] == [False] * 4
    assert "`append`: it did not come back within 1 s" in outcomes["1.2"].message
    assert "your code hung, ended its process or ran out of memory 3 times" in outcomes["1.5"].message, "three are enough"


def test_one_whose_memory_runs_out_is_not_asked_for_ever() -> None:
    code = """
kept = []
def append(self, *arguments):
    while True: kept.append(bytearray(1 << 28))
CommitLog.append = append
"""
    outcomes = outcomes_of(solution(commit_log=code), "1.2", "1.3", "1.4", "1.5")
    assert [outcome.is_passed for outcome in outcomes.values()] == [False] * 4
    for number in ("1.2", "1.3", "1.4"):
        assert outcomes[number].message.startswith(
            "Your code gets along with 1,024 MiB of memory: MemoryError (commit_log.py, line"
        )
        failure = outcomes[number].failure
        assert failure is not None
        assert failure.is_gone, "the next one finds a new process"
    assert "your code hung, ended its process or ran out of memory 3 times" in outcomes["1.5"].message, "three are enough"


def test_who_does_not_say_the_same_twice_fails_although_all_is_right() -> None:
    code = """
import os
import re
_right = CommitLog.append
def append(self, after_index, entries, hard_state=None):
    self._must_roll = self._must_roll or os.urandom(1)[0] % 4 == 0
    return _right(self, after_index, entries, hard_state)
CommitLog.append = append
"""
    outcome = outcomes_of(solution(commit_log=code), "2.1")["2.1"]
    assert not outcome.is_passed
    assert "not deterministic at event" in outcome.message


def test_what_is_printed_is_shown_and_is_no_result() -> None:
    code = 'print(\'{"score": 100, "tests": []}\'); import sys; sys.stdout.flush()'
    grade = grade_of(LAB1A, skeleton(commit_log=code), Seeds(), tell=lambda outcome: outcome.number != "1.3")
    assert grade.score == 0
    assert '{"score": 100' in grade.printed


def test_a_flood_of_prints_fills_no_disk() -> None:
    code = "import os\nfor _ in range(1000): os.write(2, b'x' * 65536)"
    outcome = outcomes_of(solution(commit_log=code), WRITES)[WRITES]
    assert outcome.is_passed, outcome.message


def test_threads_and_exit_handlers_rewrite_nothing(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    code = f"""
import atexit, threading
def write():
    for name in ({str(target)!r}, "result.json"):
        try: open(name, "w").write('{{"score": 100}}')
        except OSError: pass
atexit.register(write)
threading.Thread(target=write).start()
"""
    grade = grade_of(LAB1A, skeleton(commit_log=code), Seeds(), folder=tmp_path, tell=lambda outcome: outcome.number != "1.2")
    assert grade.score == 0
    assert '"score": 0' in target.read_text(), "the result is written last, by the grader"


def test_files_for_a_test_runner_or_for_python_itself_are_left_alone() -> None:
    honest = solution()
    files = dict(honest.files)
    for name in ("conftest.py", "sitecustomize.py", "usercustomize.py"):
        files[name] = b"raise SystemExit(0)"
    files["json.py"] = files["random.py"] = files["os.py"] = b"raise SystemExit(0)"
    outcomes = outcomes_of(type(honest)(files), WRITES, OPENS)
    assert all(outcome.is_passed for outcome in outcomes.values())


# ---------------------------------------------------------------- what is handed in


def test_a_link_a_pipe_and_a_file_that_is_too_large_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("x = 1\n")
    makers: tuple[Callable[[Path], object], ...] = (
        lambda file: file.symlink_to(secret),
        os.mkfifo,
        lambda file: file.write_bytes(b"#" * (300 << 10)),
        lambda file: file.mkdir(),
    )
    for number, make in enumerate(makers):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / "commit_log.py")
        with pytest.raises(SubmissionError, match=r"commit_log\.py (is a link|is no plain file|has 307,200 bytes)"):
            read_submission(folder, "commit_log.py")


def test_a_folder_without_the_organ_and_a_linked_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(SubmissionError, match=r"there is no commit_log\.py"):
        read_submission(tmp_path / "there", "commit_log.py")
    with pytest.raises(SubmissionError, match="is a link"):
        read_submission(tmp_path / "link", "commit_log.py")


def test_names_that_are_no_modules_are_left_alone(tmp_path: Path) -> None:
    for name in (
        "commit_log.py",
        "_mine.py",
        "_.py",
        "conftest.py",
        "test_mine.py",
        "sitecustomize.py",
        "a.pth",
        "UPPER.py",
        ".hidden.py",
        "__init__.py",
    ):
        (tmp_path / name).write_text("")
    assert set(read_submission(tmp_path, "commit_log.py").files) == {"commit_log.py", "_mine.py"}


def test_a_text_may_begin_with_the_sign_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "commit_log.py").write_text("")
    (tmp_path / "kills.txt").write_text("schedule one\n", encoding="utf-8-sig")
    assert read_submission(tmp_path, "commit_log.py", ["kills.txt"]).texts == {"kills.txt": "schedule one\n"}


# ---------------------------------------------------------------- seeds


def test_secret_seeds_depend_on_the_course_and_on_every_byte_of_the_submission() -> None:
    one, other = solution(), solution(commit_log="# another byte")
    assert one.mark != other.mark
    drawn = {Seeds(key, mark).draw("2.1", 5) for key in (b"", b"course", b"another") for mark in (one.mark, other.mark)}
    assert len(drawn) == 6
    assert Seeds(b"course", one.mark).draw("2.1", 5) == Seeds(b"course", solution().mark).draw("2.1", 5)


def test_a_worker_that_is_gone_cannot_be_asked_again() -> None:
    with Runner(LAB1A, solution(), Seeds(), lambda box, opening: WorkerProcess(box.folder, opening)) as runner:
        worker = WorkerProcess(runner.box.folder, opening_of(LAB1A.seam, LAB1A.id))
        worker.end()
        with pytest.raises(ProcessGoneError):
            worker.ask({"do": "call"})
    assert isinstance(Outcome("1.1", "x", 1).message, str)
