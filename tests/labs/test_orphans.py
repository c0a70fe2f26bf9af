"""What a worker leaves behind in a session of its own, without a mark: it comes to the grader, and is ended; others are not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.grader.grading import grade_of
from labs.grader.orphans import _subreaper, adopting, end_orphans, orphans
from labs.grader.process import LIMITS, WorkerProcess
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from tests.labs.helpers import LAB1A, skeleton

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there a process can ask for orphans")


@pytest.fixture(autouse=True)
def _as_without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it the worst of these could not even look for what they want to write over."""
    monkeypatch.setattr(WorkerProcess, "is_shut_in", False)


# It forks twice, goes into a session of its own, forgets its variables, and waits for the mark to be written: then it is 100.
REWRITES = """
import os
_pid = os.fork()
if _pid == 0:
    os.setsid()
    if os.fork() == 0:
        open({place!r} + "/" + str(os.getpid()), "w").close()
        os.execve({python!r}, [{python!r}, "-S", "-c", {then!r}], dict())
    os._exit(0)
os.waitpid(_pid, 0)
while not os.listdir({place!r}): pass
"""
THEN = """
import json, time
from pathlib import Path
file = Path({file!r})
while "did not finish" in file.read_text(): time.sleep(0.01)
file.write_text(json.dumps(dict(score=100)))
"""
SLEEPS = "import time; time.sleep(3600)"
# Its child is ours when it ends, which is at once.
LEAVES_A_CHILD = """
import subprocess, sys
how = dict(start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"], **how).pid)
"""
MOTHER = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"], stdout=subprocess.DEVNULL).pid, flush=True)
time.sleep(3600)
"""
LEAVES_A_FAMILY = f"""
import subprocess, sys
how = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(int(subprocess.Popen([sys.executable, "-S", "-c", {MOTHER!r}], **how).stdout.readline()))
"""
HELD = f"""
import resource
for name, value in {LIMITS!r}.items():
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))
"""


def is_alive(pid: int) -> bool:
    """And no corpse that nobody has looked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@pytest.fixture
def started() -> Iterator[list[int]]:
    """Processes that are ended behind the test, whoever's children they are."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def left_by(code: str, started: list[int]) -> int:
    """The process that such a program leaves behind, when its own is gone."""
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    started.append(int(done.stdout))
    return started[-1]


def rewriting(folder: Path, place: Path) -> Submission:
    then = THEN.format(file=str(folder / "result.json"))
    return skeleton(commit_log=REWRITES.format(place=str(place), python=sys.executable, then=then))


def test_who_waits_for_the_result_to_rewrite_it_is_gone_by_then(tmp_path: Path, started: list[int]) -> None:
    folder, place = tmp_path / "out", tmp_path / "left"
    place.mkdir()
    submission = rewriting(folder, place)
    grade = grade_of(LAB1A, submission, Seeds(b"tests", submission.mark), folder=folder, tell=lambda _outcome: False)
    started += [int(file.name) for file in place.iterdir()]
    assert started, "else this tests nothing"
    assert [pid for pid in started if is_alive(pid)] == []
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["score"] == grade.score < 100


def test_only_what_is_held_to_the_limits_of_workers_is_ended(started: list[int]) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", SLEEPS], start_new_session=True) as ours:
        started.append(ours.pid)
        with adopting(LIMITS):
            a_strangers, a_workers = left_by(LEAVES_A_CHILD, started), left_by(HELD + LEAVES_A_CHILD, started)
            assert orphans(LIMITS) == {a_workers}
            end_orphans(LIMITS, {a_workers})
            assert is_alive(a_workers), "it was to be spared"
        assert [is_alive(pid) for pid in (ours.pid, a_strangers, a_workers)] == [True, True, False]
        assert not Path(f"/proc/{a_workers}").exists(), "it was waited for, too"
        ours.kill()
    os.kill(a_strangers, signal.SIGKILL)
    os.waitpid(a_strangers, 0)  # it came to us


def test_what_an_orphan_leaves_behind_is_ended_with_it(started: list[int]) -> None:
    with adopting(LIMITS):
        grandchild = left_by(HELD + LEAVES_A_FAMILY, started)
        assert is_alive(grandchild)
        assert grandchild not in orphans(LIMITS), "its mother lives, and is ours"
    assert not is_alive(grandchild)


def test_a_process_takes_orphans_in_only_while_it_grades(started: list[int]) -> None:
    before = _subreaper(None)
    with adopting(LIMITS):
        with adopting(LIMITS):
            assert _subreaper(None) == 1
        assert _subreaper(None) == 1, "the outer one goes on"
    assert _subreaper(None) == before
    somebodys = left_by(HELD + LEAVES_A_CHILD, started)
    end_orphans(LIMITS)
    assert is_alive(somebodys), "nobody grades"


def test_who_is_held_to_as_little_as_a_worker_ends_nobody() -> None:
    """A child of such a one has the same limits whoever it is."""
    code = f"""{HELD}
import subprocess, sys
from labs.grader.orphans import adopting, orphans
with subprocess.Popen([sys.executable, "-S", "-c", {SLEEPS!r}]) as child:
    with adopting({LIMITS!r}):
        print(orphans({LIMITS!r}))
    print(child.poll())
    child.kill()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["set()", "None"]


def test_an_end_comes_soon_where_there_is_nothing_to_end() -> None:
    with adopting(LIMITS):
        begun = time.process_time()
        end_orphans(LIMITS)
        assert time.process_time() - begun < 1.0
