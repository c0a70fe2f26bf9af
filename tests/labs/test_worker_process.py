"""A worker's process from outside: nothing that it starts makes the grader wait, outlives it, or answers for it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.grader import process
from labs.grader.box import Box
from labs.grader.boxed import files_for
from labs.grader.class_run import ClassRun
from labs.grader.container import in_a_container
from labs.grader.grading import how_to_run, in_a_process
from labs.grader.leftovers import kill_leftovers, leftovers
from labs.grader.other_user import USERS, OtherUserProcess, as_another_user
from labs.grader.pipes import Pipes
from labs.grader.process import ProcessGoneError, WorkerProcess
from labs.grader.remote import opening_of
from labs.grader.running import Start
from mq.cli.failing import TERMINATED
from tests.labs.helpers import LAB1A, ROOT, outcomes_of, skeleton, solution

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="only /proc tells what a process was started with"
)
WRITES = "1.2"
# Each goes into a session of its own, says who it is, and holds both pipes; the one that was asked ends.
STAYS = """
import os, time
if (pid := os.fork()) == 0:
    os.setsid()
    open({place!r} + str(os.getpid()), "w").close()
    time.sleep(3600)
while not os.path.exists({place!r} + str(pid)): pass
os._exit(0)
"""
# As before; but the one that was asked never comes back.
STAYS_AND_HANGS = STAYS.replace("os._exit(0)", "time.sleep(3600)")
# The mark is gone with the variables: another program, started without any.
STAYS_WITHOUT_A_MARK = """
import os, sys
if (pid := os.fork()) == 0:
    os.setsid()
    open({place!r} + str(os.getpid()), "w").close()
    for fd in range(3, 12):
        try: os.set_inheritable(fd, True)
        except OSError: pass
    os.execve({python!r}, [{python!r}, "-S", "-c", "import time; time.sleep(3600)"], dict())
while not os.path.exists({place!r} + str(pid)): pass
os._exit(0)
"""
# It goes on to write, so that there is always something to read.
DRIPS = """
import os, time
if (pid := os.fork()) == 0:
    os.setsid()
    open({place!r} + str(os.getpid()), "w").close()
    while True:
        for fd in range(3, 12):
            try: os.write(fd, b".")
            except OSError: pass
        time.sleep(0.02)
while not os.path.exists({place!r} + str(pid)): pass
time.sleep(3600)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where those that leave say who they are. Those are ended that nobody else ended."""
    folder = tmp_path / "left"
    folder.mkdir()
    yield folder
    for file in folder.iterdir():
        if is_alive(int(file.name)):
            os.kill(int(file.name), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """And no corpse that nobody has looked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def filled(code: str, place: Path) -> str:
    return code.format(place=f"{place}/", python=sys.executable)


def none_is_left(place: Path) -> bool:
    """Whether somebody went, and is gone. A signal takes a moment."""
    pids = [int(file.name) for file in place.iterdir()]
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        os.sched_yield()
    return bool(pids) and not any(map(is_alive, pids))


@needs_proc
@pytest.mark.parametrize("code", [STAYS, STAYS_AND_HANGS, DRIPS], ids=["leaves", "hangs", "drips"])
def test_what_leaves_its_group_neither_holds_the_grader_up_nor_outlives_the_worker(
    code: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_START_SECONDS_MAX", 5.0)
    outcome = outcomes_of(skeleton(commit_log=filled(code, place)), WRITES)[WRITES]
    assert not outcome.is_passed
    wanted = "the process ended in the middle of it (exit status 0)" if code == STAYS else "it did not come back within 5 s"
    assert wanted in outcome.message
    assert none_is_left(place)


@needs_proc
@pytest.mark.timeout(120)
def test_what_has_no_mark_holds_nobody_up_either_and_is_gone_on_linux(place: Path) -> None:
    outcome = outcomes_of(skeleton(commit_log=filled(STAYS_WITHOUT_A_MARK, place)), WRITES)[WRITES]
    assert "the process ended in the middle of it (exit status 0)" in outcome.message
    assert none_is_left(place)


def test_a_request_that_nobody_takes_is_given_up() -> None:
    """The other end of the pipe is open, and nobody reads: more than a pipe holds does not go through."""
    reader, writer = os.pipe()
    answers, other = os.pipe()
    is_over = threading.Event()
    with os.fdopen(writer, "wb", 0) as to, os.fdopen(answers, "rb", 0) as back:
        for late, gone in ((is_over.is_set, lambda: False), (lambda: False, is_over.is_set)):
            is_over.clear()
            pipes = Pipes(to, back, late, gone)
            threading.Timer(0.3, is_over.set).start()
            pipes.send(bytes(1 << 20))
            assert pipes.line(100) == b""
    os.close(reader)
    os.close(other)


def test_lines_come_whole_whatever_the_pieces_they_come_in() -> None:
    reader, writer = os.pipe()
    nobody, to_nobody = os.pipe()
    with os.fdopen(to_nobody, "wb", 0) as to, os.fdopen(reader, "rb", 0) as back:
        pipes = Pipes(to, back, lambda: False, lambda: True)
        os.write(writer, b"one\ntwo\nthr")
        assert [pipes.line(100), pipes.line(100)] == [b"one\n", b"two\n"]
        os.write(writer, b"ee\n" + b"x" * 300 + b"\n")
        assert pipes.line(100) == b"three\n"
        assert not pipes.line(100).endswith(b"\n"), "it is too long"
        os.write(writer, b"the end of it")
        os.close(writer)
        assert pipes.line(1000) == b"the end of it"
        assert pipes.line(1000) == b""
    os.close(nobody)


# ---------------------------------------------------------------- time

HANGS = "def append(self, *arguments):\n    while True: pass\nCommitLog.append = append\n"


def worker_of(code: str, patience: float) -> tuple[Box, WorkerProcess]:
    box = Box(LAB1A.id, solution(commit_log=code), files_for(LAB1A))
    return box, WorkerProcess(box.folder, opening_of(LAB1A.seam, LAB1A.id), lambda: patience)


@pytest.mark.parametrize(("patience", "told"), [(1.0, "within 1 s"), (3.0, r"within 1 s \(on this crowded machine 3 s\)")])
def test_a_call_may_take_as_much_longer_as_the_machine_is_crowded(
    patience: float, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS_MAX", 1.0)
    box, worker = worker_of(HANGS, patience)
    with box:
        begun = time.monotonic()
        request = {"do": "call", "object": 1, "name": "append", "args": [], "named": {}, "make": [[], {}, ""]}
        with pytest.raises(ProcessGoneError, match=f"it did not come back {told}$"):
            worker.ask(request)
        assert time.monotonic() - begun >= patience


def starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Start]]:
    """All ways to start a worker. The engine is one that starts it as it is."""
    yield "a process", in_a_process()
    monkeypatch.setattr(OtherUserProcess, "rights", lambda _self: {})  # that user may not start this Python
    yield "another user", as_another_user()
    an_engine(folder, monkeypatch)
    yield "a container", in_a_container("no/such:image")


def an_engine(folder: Path, monkeypatch: pytest.MonkeyPatch, image: str = f"sha256:{'0123456789' * 6}abcd") -> None:
    """In the place of `docker`. image: what every name of an image means to it."""
    engine = folder / "docker"
    engine.write_text(f"#!/bin/sh\n{ENGINE.format(python=sys.executable, told=folder / 'told', image=image)}")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


ENGINE = """
[ "$1" = run ] || {{ echo {image}; exit 0; }}
echo "$@" >>{told}
for word in "$@"; do
  case $word in --volume=*) box=${{word#--volume=}}; box=${{box%%:*}} ;; esac
done
cd "$box" && exec env PYTHONPATH="$box" {python} -S -s -P -B -m labs.grader.inside.worker
"""


def test_whoever_starts_a_worker_grants_it_more_on_a_crowded_machine_and_a_container_gets_one_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS_MAX", 0.3)
    monkeypatch.setattr(os, "getloadavg", lambda: (400.0, 0.0, 0.0), raising=False)
    told = {
        name: outcomes_of(solution(commit_log=HANGS), WRITES, start=start)[WRITES].message
        for name, start in starts(tmp_path, monkeypatch)
    }
    assert [name for name, message in told.items() if "within 0.3 s (on this crowded machine 3 s)" not in message] == []
    limits = (tmp_path / "told").read_text().split()
    assert {"--cpus=1", "--pids-limit=64", "--network=none", "--read-only", "--cap-drop=ALL"} <= set(limits)


def test_marks_are_given_in_the_image_that_the_name_meant_and_say_which_one_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_engine(tmp_path, monkeypatch)
    start, mode = how_to_run(LAB1A, is_container=True)
    assert mode == "for marks: in a container, image 012345678901"
    judged = ClassRun(LAB1A, tmp_path / "results", "a key", is_container=True)._judge()
    (tmp_path / "docker").unlink()
    an_engine(tmp_path, monkeypatch, image="sha256:another")
    assert outcomes_of(solution(), WRITES, start=start)[WRITES].is_passed
    assert f"sha256:{'0123456789' * 6}abcd python3" in (tmp_path / "told").read_text()
    assert how_to_run(LAB1A, is_container=True)[1] == "for marks: in a container, image another"
    again = ClassRun(LAB1A, tmp_path / "results", "a key", is_container=True)._judge()
    assert again != judged, "a class is graded anew where the name means another image now"


# ---------------------------------------------------------------- stopped

HANGS_AT_IMPORT = """
import os, time
open({place!r} + str(os.getpid()), "w").close()
time.sleep(3600)
"""
LEAVES_ALL = """
import sys, threading
from pathlib import Path
from labs.grader.grading import in_a_process
from labs.grader.process import kill_all_for_good
from tests.labs.helpers import outcomes_of, skeleton
code, place, how = sys.argv[1:]
def leave():
    while not any(Path(place).iterdir()): pass
    if how == "interrupted":
        import _thread
        _thread.interrupt_main()
    else:
        import os
        kill_all_for_good()
        os._exit(0)
threading.Thread(target=leave, daemon=True).start()
outcomes_of(skeleton(commit_log=code), "1.2")
"""


@needs_proc
@pytest.mark.parametrize("how", ["interrupted", "for good"])
def test_a_grader_that_is_stopped_while_a_file_is_imported_leaves_no_worker(how: str, place: Path) -> None:
    """Nobody has the worker in hand at that moment: it is being started."""
    command = [sys.executable, "-c", LEAVES_ALL, filled(HANGS_AT_IMPORT, place), str(place), how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert ("KeyboardInterrupt" in done.stderr) == (how == "interrupted"), done
    assert none_is_left(place)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_check_that_is_ended_by_a_signal_leaves_no_worker(number: signal.Signals, place: Path, tmp_path: Path) -> None:
    """So does `timeout`, and a terminal that is closed: an endless loop of a student's would go on."""
    (tmp_path / "commit_log.py").write_text(filled(HANGS_AT_IMPORT, place), encoding="utf-8")
    code = "import signal, sys; from mq.cli.main import main\n"
    code += f"signal.signal({int(number)}, signal.SIG_DFL)\n"  # whoever runs the tests by `nohup` has them ignore one
    command = [sys.executable, "-c", code + "sys.exit(main(sys.argv[1:]))"]
    with subprocess.Popen([*command, "lab", "check", "lab1a", str(tmp_path / "commit_log.py")], cwd=ROOT) as checking:
        while not any(place.iterdir()):
            with pytest.raises(subprocess.TimeoutExpired):  # it is under way
                checking.wait(0.02)
        checking.send_signal(number)
        assert checking.wait(60) == TERMINATED
    assert none_is_left(place)


def test_two_gradings_on_one_machine_have_two_users_for_their_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes of that user are ended with a worker."""
    users = set[object]()
    for process_id in (4000, 4001, 70_007):
        monkeypatch.setattr(os, "getpid", lambda process_id=process_id: process_id)
        users.add(OtherUserProcess.rights(object.__new__(OtherUserProcess))["user"])
    assert len(users) == 3
    assert users <= set(USERS)


@needs_proc
def test_processes_are_known_by_a_mark_that_they_were_started_with() -> None:
    environment = {**os.environ, "MQ_TEST_MARK": "one of ours"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as started:
        deadline = time.monotonic() + 20
        while not leftovers("MQ_TEST_MARK=one of ours") and time.monotonic() < deadline:
            os.sched_yield()
        assert leftovers("MQ_TEST_MARK=one of ours") == {started.pid}
        assert leftovers("MQ_TEST_MARK=one of") == set()
        kill_leftovers("MQ_TEST_MARK=one of ours")
        assert started.wait(20) == -signal.SIGKILL
