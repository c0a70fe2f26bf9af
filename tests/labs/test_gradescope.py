"""Gradescope's zip, laid out as Gradescope lays it out: whatever is handed in, there is a valid results.json.

As root the worker runs as another user, as it does there. In a container the same, where an engine answers.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from labs.grader.archive import SCRIPTS, write_zip
from labs.grader.other_user import USERS, can_change_user
from labs.grader.submission import Submission
from mq.cli.main import main
from tests.labs.helpers import LAB1A, ROOT, skeleton, solution
from tests.labs.test_container import IMAGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # three full grades, on whatever machine
KEY = b"a key that no student knows"
# What a submission would do for points, or to see what it must not see. It says what it could do on its standard error.
CHEATS = """
import glob, os, sys
root = os.environ.get("AUTOGRADER_ROOT") or next(iter(glob.glob("/tmp/**/autograder", recursive=True)), "/autograder")
seen = []
for name in ("source/course_key", "source/mq/broker/store/commit_log.py", "results/results.json", "submission/commit_log.py"):
    try: seen.append((name, open(f"{root}/{name}").read(20)))
    except OSError: pass
for name in ("results/results.json", "results/result.json"):
    try: open(f"{root}/{name}", "w").write('{"score": 100}')
    except OSError: pass
    else: seen.append((name, "written"))
try: os.kill(os.getppid(), 0); seen.append("may kill the grader")
except OSError: pass
print("SEEN", os.getuid(), seen, file=sys.stderr)
"""
LEAVES = "import os\nos._exit(0)\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("zip") / "autograder.zip"
    assert write_zip(LAB1A, file, KEY) > 200
    return file


@cache
def python_for_all() -> str:
    """One that another user can start, too: an environment may lie where only we can look."""
    if not can_change_user():
        return sys.executable
    for python in (sys.executable, *(found for name in ("python3", "python3.12", "python3.11") if (found := shutil.which(name)))):
        if _is_for_all(python):
            return python
    if _is_for_all("/usr/bin/python3"):
        return "/usr/bin/python3"
    pytest.skip("no Python here can be started by another user")


def saw_nothing_as_another_user(printed: str) -> bool:
    """Whether what the cheat printed says so."""
    found = re.search(r"SEEN (\d+) \[\]", printed)
    return found is not None and int(found[1]) in USERS


def _is_for_all(python: str) -> bool:
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return (
            subprocess.run([python, "-c", code], user=USERS[0], group=USERS[0], extra_groups=[], cwd="/", check=False).returncode
            == 0
        )
    except OSError:
        return False


def laid_out(archive: Path, root: Path) -> Path:
    """As Gradescope does it: unpacked as root/source, the two programs can be started."""
    for name in ("source", "submission", "results"):
        (root / name).mkdir(parents=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(root / "source")
    for name in SCRIPTS:
        (root / "source" / name).chmod(0o755)
    (root / "source" / "python_command").write_text(python_for_all())
    return root


def hand_in(root: Path, submission: Submission, folder: str = "submission") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name, data in submission.files.items():
        (root / folder / name).write_bytes(data)


def run(root: Path) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(root)}
    command = [str(root / "source/run_autograder")]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done
    return valid(root)


def valid(root: Path, numbers: str = "1a.") -> dict[str, Any]:
    """The result, when Gradescope would take it. numbers: how those of its tests begin."""
    found: dict[str, Any] = json.loads((root / "results/results.json").read_text())
    assert set(found) <= {"score", "output", "output_format", "execution_time", "visibility", "tests", "leaderboard"}
    assert ("score" in found) != bool(found.get("tests")), "either the tests have points, or the whole has"
    for test in found.get("tests", ()):
        assert 0 <= test["score"] <= test["max_score"]
        assert test["status"] in ("passed", "failed")
        assert test["visibility"] == "visible"
        assert test["output_format"] == "text"
        assert isinstance(test["name"], str)
        assert test["number"].startswith(numbers)
    return found


def points(found: dict[str, Any]) -> tuple[int, int]:
    return sum(test["score"] for test in found["tests"]), sum(test["max_score"] for test in found["tests"])


def test_the_zip_holds_what_it_needs_and_the_same_always_comes_out(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        names = set(packed.namelist())
        assert packed.read("course_key").strip() == KEY
    assert {"setup.sh", "run_autograder", "lab.txt", "labs/grader/running.py", "mq/broker/store/commit_log.py"} <= names
    assert not [name for name in names if "/wrong/" in name or name.startswith(("tests/", "work/"))]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600, "it holds the key"
    write_zip(LAB1A, tmp_path / "again.zip", KEY)
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_setup_finds_a_python_and_fetches_nothing_when_there_is_one(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    (root / "source/python_command").unlink()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    for tool in ("dirname", "bash", "env"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [str(root / "source/setup.sh")], env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    assert (root / "source/python_command").read_text().strip() == str(tmp_path / "bin/python3")


def test_a_right_one_gets_all_and_is_told_nothing(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    hand_in(root, solution(), "submission/lab1a_commit_log")  # a folder was handed in
    found = run(root)
    assert points(found) == (100, 100), [test["output"] for test in found["tests"] if test["status"] == "failed"]
    assert "practice" not in found["output"] or os.geteuid() != 0


def test_a_wrong_one_gets_what_it_earned_and_is_told_what_to_mend(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    code = "_right = CommitLog.note_durable\nCommitLog.note_durable = lambda self: ()\n"
    packed = root / "submission" / "mine.zip"
    with zipfile.ZipFile(packed, "w") as mine:
        for name, data in solution(commit_log=code).files.items():
            mine.writestr(f"mine/{name}", data)
    found = run(root)
    failed = [test for test in found["tests"] if test["status"] == "failed"]
    assert "1a.1.26" in [test["number"] for test in failed]
    assert 40 <= points(found)[0] < 100
    assert "README, rule 11" in next(test["output"] for test in failed if test["number"] == "1a.1.26")


def test_a_skeleton_gets_nothing(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    hand_in(root, skeleton())
    found = run(root)
    assert points(found) == (0, 100)
    assert "`CommitLog._roll` is not written yet" in found["tests"][0]["output"]


def test_one_that_cheats_sees_nothing_and_gets_nothing(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    tmp_path.chmod(0o755)
    hand_in(root, skeleton(commit_log=CHEATS.replace('os.environ.get("AUTOGRADER_ROOT")', repr(str(root)))))
    found = run(root)
    assert points(found) == (0, 100)
    printed = (root / "results/report.html").read_text()
    if os.geteuid() == 0:
        assert saw_nothing_as_another_user(printed)
    (root / "submission/commit_log.py").write_text(LEAVES)
    found = run(root)
    assert points(found) == (0, 100)
    assert "the process ended in the middle of it" in found["tests"][0]["output"]


def test_nothing_handed_in_is_a_result_too(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    found = run(root)
    assert found["score"] == 0
    assert "there is no commit_log.py in submission" in found["output"]
    assert str(root) not in found["output"]


def test_a_grader_that_does_not_start_leaves_a_zero(archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    (root / "source/labs/grader/gradescope.py").write_text("raise SystemExit(3)\n")
    subprocess.run(
        [str(root / "source/run_autograder")], env={"AUTOGRADER_ROOT": str(root), "PATH": os.environ["PATH"]}, check=False
    )
    found = valid(root)
    assert (found["score"], "the grader did not start" in found["output"]) == (0, True)


@pytest.fixture(scope="module")
def image() -> str:
    for image in IMAGES:
        try:
            done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
        except FileNotFoundError:
            break
        if done.returncode == 0:
            return image
    if os.environ.get("MQ_REQUIRE_DOCKER") == "1":
        pytest.fail(f"MQ_REQUIRE_DOCKER=1, and none of {IMAGES} is there", pytrace=False)
    pytest.skip("there is no engine, or no image: Gradescope's container cannot be tried")


@pytest.mark.docker
@pytest.mark.parametrize("kind", ["right", "skeleton", "cheat"])
def test_in_a_container_as_theirs_is(kind: str, image: str, archive: Path, tmp_path: Path) -> None:
    root = laid_out(archive, tmp_path / "autograder")
    (root / "source/python_command").unlink()
    cheat = skeleton(commit_log=CHEATS.replace('os.environ.get("AUTOGRADER_ROOT")', '"/autograder"'))
    hand_in(root, {"right": solution(), "skeleton": skeleton(), "cheat": cheat}[kind])
    command = ["docker", "run", "--rm", "--network=none", "--memory=768m", f"--volume={root}:/autograder", image]
    begin = "cd /autograder/source && ./setup.sh && ./run_autograder"
    subprocess.run([*command, "bash", "-c", begin], check=True, timeout=800, capture_output=True)
    found = valid(root)
    assert points(found) == ((100, 100) if kind == "right" else (0, 100))
    if kind == "cheat":
        assert saw_nothing_as_another_user((root / "results/report.html").read_text())
    assert ROOT.is_dir()


def test_a_zip_needs_a_key_that_no_student_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MQ_COURSE_KEY", raising=False)
    out = tmp_path / "out.zip"
    assert main(["lab", "zip", "lab1a", "--out", str(out)]) == 2
    assert "marks need a key that no student knows" in capsys.readouterr().err
    (tmp_path / "course.key").write_text("quiet\n")
    assert main(["lab", "zip", "lab1a", "--out", str(out), "--key-file", str(tmp_path / "course.key")]) == 0
    with zipfile.ZipFile(out) as packed:
        assert packed.read("course_key") == b"quiet\n"
    assert "quiet" not in capsys.readouterr().out
