"""Processes that outlive the one that started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mq.cluster import processes
from mq.cluster.errors import ClusterError
from mq.cluster.files import write_json
from mq.cluster.processes import RUNNING, STOPPED, Process
from tests.cluster.broker_process import wait_until

START = """
import os, sys
from pathlib import Path
from mq.cluster.processes import Process

folder = Path(sys.argv[1])
command = [sys.executable, "-c", "import time; time.sleep(300)"]
Process.start(command, folder / "log", os.environ, folder, folder / "process.json")
"""


def test_whoever_started_one_may_end_before_it_without_a_word(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", START, str(tmp_path)]
    started = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    process = Process.read(tmp_path / "process.json")
    assert process is not None
    assert process.state == RUNNING
    process.kill()
    assert process.state == STOPPED
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")


SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]


def knows_groups_by_handle() -> bool:
    """Whether this system can send a signal to the group of a process by a handle of it."""
    if sys.platform != "linux":
        return False
    with subprocess.Popen(SLEEP, start_new_session=True) as child, processes._held(child.pid) as handle:
        try:
            return handle is not None and processes._is_sent(handle, signal.SIGKILL)
        finally:
            child.kill()


def test_a_number_that_changes_hands_between_the_look_and_the_signal_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not knows_groups_by_handle():
        pytest.skip("this system sends signals by number alone")
    process = Process.start(SLEEP, tmp_path / "log", os.environ, tmp_path, tmp_path / "note")
    child, look = processes._children[process], processes._look
    by_number: list[int] = []

    def look_and_end(pid: int) -> tuple[str, str] | None:
        found = look(pid)
        child.kill()
        child.wait()  # from here on anybody may have its number
        return found

    monkeypatch.setattr(processes, "_look", look_and_end)
    monkeypatch.setattr(os, "killpg", lambda pid, _number: by_number.append(pid))
    process.signal(signal.SIGTERM)
    assert by_number == []


@pytest.mark.parametrize("has_handles", [True, False])
def test_a_signal_reaches_a_process_and_what_it_started(
    has_handles: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_handles:
        monkeypatch.setattr(processes, "_is_sent", lambda _handle, _number: False)
    code = f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        found = [processes._look(pid) for pid in (parent.pid, int(parent.stdout.readline()))]
        assert None not in found
        first = Process(parent.pid, (found[0] or ("", ""))[0])
        first.signal(signal.SIGKILL)
        assert parent.wait(30) == -signal.SIGKILL
        assert parent.stdout.read() == "", "nobody holds the other end any more"
        first.signal(signal.SIGKILL)  # nobody is there, and nothing happens


def test_a_process_whose_birth_nobody_could_tell_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def fail(pid: int) -> tuple[str, str] | None:
        started.append(pid)
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(processes, "_look", fail)
        with pytest.raises(OSError, match="Too many open files"):
            Process.start(SLEEP, tmp_path / "log", os.environ, tmp_path, tmp_path / "note")
    assert processes._look(started[0]) is None


DYING = """
import os, sys
from pathlib import Path
from mq.cluster import processes

folder = Path(sys.argv[1])
processes.write_json = lambda file, content: (print(content["pid"], flush=True), os._exit(9))
command = [sys.executable, "-c", "open('begun', 'w'); import time; time.sleep(300)"]
processes.Process.start(command, folder / "log", os.environ, folder, folder / "process.json")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there a process begins at once")
def test_whoever_dies_before_a_process_is_written_down_leaves_none(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DYING, str(tmp_path)]
    died = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert died.returncode == 9, died
    wait_until(lambda: processes._look(int(died.stdout)) is None, "it ends by itself")
    assert not (tmp_path / "begun").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ps")
def test_the_birth_of_a_process_is_the_same_wherever_whoever_asks_is_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for zone, words in (("UTC0", "C"), ("EST5EDT", "de_DE.UTF-8"), ("Asia/Tokyo", "C")):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LC_ALL", words)
        found.add(processes._look_with_ps(os.getpid()))
    assert len(found) == 1
    assert None not in found


def test_what_cannot_be_written_is_told_with_its_name_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    with pytest.raises(ClusterError, match=r"pids cannot be written: Is a directory"):
        write_json(tmp_path / "pids", {})
    assert [file.name for file in tmp_path.iterdir()] == ["pids"]
