"""The repository for students: it works, and it does not hold what they are to find."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labs.grader.box import imports_of_files
from labs.grader.lab import all_labs
from labs.grader.links import without_dead_links
from labs.grader.release import Kind, ReleaseError, release
from labs.grader.skeleton import solution_of, taken_out, write_all
from labs.grader.survivors import survivors
from tests.cluster.broker_process import BrokerProcess, run_mq
from tests.labs.helpers import LAB1A, ROOT
from tests.labs.test_in_the_broker import organ_of

LESSONS_RUN = ("ack_before_fsync", "commit_by_one_too_few", "leads_without_quorum")
LAB = "labs/stage1_single_node/lab1a_commit_log"
MQ = "import sys; from mq.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "students"
    assert release(folder, [LAB1A]) > 300
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mq lab` as a student of that folder has it."""
    command = [sys.executable, "-c", MQ, "lab", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)


def test_it_holds_what_a_student_needs_and_no_solutions(released: Path) -> None:
    names = {file.relative_to(released).as_posix() for file in released.rglob("*") if file.is_file()}
    assert {"run.py", "pyproject.toml", "README.md", f"{LAB}/README.md", f"{LAB}/lab.toml", f"{LAB}/skeleton/scan.py"} <= names
    assert {f"{LAB}/sentences.py", f"{LAB}/suite.py", "labs/grader/running.py", "mq/server/host.py"} <= names
    kept_back = ("/wrong/", "/right/", "/solution/", "KILLS.md", "kills.json", "__pycache__", ".git/", "labs/stage3_raft")
    by_lessons = {f"labs/stage3_raft/wrong/{name}.py" for name in LESSONS_RUN}
    assert by_lessons < names
    assert not [name for name in names - by_lessons for part in kept_back if part in name]
    assert not [name for name in names if name.startswith(("tests/", "bench/", "docs/decisions"))]
    text = (released / "README.md").read_text()
    assert "mq lab start lab1a" in text
    assert (
        "What you write in lab 1a is a part of a broker: `.venv/bin/mq broker --data DIR --parts work/lab1a_commit_log`" in text
    )
    assert "ARCHITECTURE.md" in names
    assert "{" not in text.replace("{labs}", "{"), "all places are filled in"


def test_no_page_of_it_links_what_is_not_in_it(released: Path) -> None:
    dead, count = list[tuple[str, str]](), 0
    for page in released.rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", page.read_text(encoding="utf-8")):
            count += 1
            if "://" not in target and not (page.parent / target).exists():
                dead.append((page.relative_to(released).as_posix(), target))
    assert dead == []
    assert count >= 3
    told = (released / "mq/raft/README.md").read_text(encoding="utf-8")
    assert "and `tests/transcripts` shows each rule at work" in told
    assert "[`docs/glossary.md`](../../docs/glossary.md)" in told


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](b.md) and [c](d.md)", "[a](b.md) and c"),
        ("[a](../one/b.md#part), [`c`](../two/d.md#part)", "[a](../one/b.md#part), `c`"),
        ("[a folder](..), [its](../one), [none](../three)", "[a folder](..), [its](../one), none"),
        ("[web](https://raft.github.io), [here](#part), [write](mailto:a@b.c)",) * 2,
        ("![a picture](gone.png)", "a picture"),
        ("`x[1](2)` and [a] (b)", "`x[1](2)` and [a] (b)"),
    ],
)
def test_a_link_that_leads_nowhere_is_what_it_says(text: str, wanted: str) -> None:
    assert without_dead_links(text, "one/page.md", ["one/b.md", "one/page.md", "README.md"]) == wanted


def test_its_help_shows_what_students_use_and_nothing_of_teachers(released: Path) -> None:
    told = ask(released, "--help").stdout
    assert commands_in(told) == {"Commands": ["list", "start", "check", "replay", "grade", "catch-up"]}
    told = ask(released, "grade", "--help").stdout
    assert "--out" in told
    assert "a folder, a zip or a Python file" in told
    assert not [word for word in ("teacher", "--key-file", "--jobs", "--policy", "class", "submissions") if word in told]


def commands_in(told: str) -> dict[str, list[str]]:
    """The names that a help lists, by heading."""
    found: dict[str, list[str]] = {}
    for line in told.splitlines():
        if line.endswith(":") and not line.startswith((" ", "Options")):
            found[line[:-1]] = []
        elif found and line.startswith("  ") and line[2] != " ":
            found[[*found][-1]].append(line.split()[0])
    return found


def test_the_help_of_the_whole_repository_lists_what_is_for_teachers_by_itself() -> None:
    told = ask(ROOT, "--help").stdout
    students = ["list", "start", "check", "replay", "grade", "catch-up"]
    assert commands_in(told) == {"Commands": students, "For teachers": ["grade", "release", "zip"]}
    assert "..." not in told.partition("Commands:")[2], "each is told in a whole sentence"
    before, _, after = ask(ROOT, "grade", "--help").stdout.partition("For teachers:")
    assert "--seed" in before
    assert "--jobs" not in before
    assert "--key-file" in after
    assert "a folder of submissions" in after


def test_a_raft_that_a_lesson_runs_is_there_and_is_not_to_be_read(released: Path) -> None:
    lessons = "".join(file.read_text(encoding="utf-8") for file in (released / "lessons").rglob("*.py"))
    named = set(re.findall(r'raft="(labs/[^"]+)"', lessons))
    assert named == {f"labs/stage3_raft/wrong/{name}.py" for name in LESSONS_RUN}
    for name in named:
        text = (released / name).read_text(encoding="utf-8")
        assert "_SEALED" in text
        assert "def _" not in text


def test_no_line_of_a_solution_survives_and_one_that_did_is_found(released: Path, tmp_path: Path) -> None:
    assert survivors(released, all_labs()) == []
    body = taken_out(LAB1A)["UnsyncedAppends.synced"]
    for file in LAB1A.files.values():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(released / file, tmp_path / file)
    (tmp_path / "lesson.ipynb").write_text(json.dumps({"cells": [{"source": [f"# {line}\n" for line in body]}]}))
    (tmp_path / "notes.py").write_text("\n".join(f"      {line.strip()}" for line in body))
    found = survivors(tmp_path, all_labs())
    assert {one.file for one in found} == {"notes.py", "lesson.ipynb"}
    assert {one.function for one in found} == {"UnsyncedAppends.synced"}


@pytest.mark.parametrize("name", [blank.name for blank in LAB1A.blanks])
def test_each_function_that_a_student_writes_would_be_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("\n".join(taken_out(LAB1A)[name]))
    assert name in {one.function for one in survivors(tmp_path, [LAB1A])}


def test_a_module_of_the_tests_that_tells_too_much_can_be_sealed_and_still_says_what_it_imports(tmp_path: Path) -> None:
    lab = replace(LAB1A, sealed=("crash_points.py",))
    release(tmp_path / "students", [lab])
    sealed = tmp_path / "students" / LAB / "crash_points.py"
    assert "_second_life" not in sealed.read_text().lower()
    told = {name for name in imports_of_files([sealed]) if name.startswith("mq")}
    assert told == {name for name in imports_of_files([LAB1A.folder / "crash_points.py"]) if name.startswith("mq")}
    code = f"from {LAB.replace('/', '.')}.crash_points import SEARCHES; print(len(SEARCHES))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path / "students"), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "3", done.stderr


@pytest.mark.parametrize("is_there", [False, True], ids=["not there yet", "empty"])
def test_a_release_with_a_solution_in_it_is_refused_and_nothing_of_it_is_left(
    *, is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.grader.release._sealed", lambda source, _lab: source)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = tmp_path / "students"
    if is_there:
        folder.mkdir()
    with pytest.raises(ReleaseError, match=r"lines of a solution would be in it:\n(.*\n)*  mq/broker/\w+/\w+\.py:\d+"):
        release(folder, [LAB1A])
    assert folder.exists() == is_there
    assert [file.name for file in tmp_path.rglob("*") if file != folder] == ["temporary"], "neither there nor elsewhere"


def test_a_release_that_cannot_be_written_to_its_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: str, _target: str, **_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(ReleaseError, match=r"students cannot be written: \[Errno 28\] No space left on device$"):
        release(tmp_path / "students", [LAB1A])
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_not_empty_and_one_inside_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ReleaseError, match="not empty"):
        release(tmp_path, [LAB1A])
    with pytest.raises(ReleaseError, match="inside of this repository"):
        release(ROOT / "docs" / "students", [LAB1A])


def test_a_student_starts_fails_and_gets_points_for_what_is_right(released: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert ask(released, "start", "lab1a", "--dir", str(work)).returncode == 0
    failed = ask(released, "check", "lab1a", str(work / LAB1A.id))
    assert failed.returncode == 1
    assert "`CommitLog._roll` is not written yet" in failed.stdout
    write_all(work / "done", solution_of(LAB1A))
    again = ask(released, "replay", "lab1a:2.1:8142", str(work / "done"))
    assert again.returncode == 0, again
    assert ask(released, "replay", "lab1a:4.3", str(work / "done")).returncode == 0, "one's own tests are judged here, too"
    assert "no solution in a repository for students" in ask(released, "catch-up", "lab1a").stderr
    assert "for students already" in ask(released, "release", str(tmp_path / "x")).stderr


def test_what_is_sealed_is_not_where_a_students_code_runs(released: Path, tmp_path: Path) -> None:
    write_all(tmp_path, {"commit_log.py": "from mq.broker.store.commit_log import CommitLog\n"})
    done = ask(released, "check", "lab1a", str(tmp_path))
    assert "No module named 'mq.broker.store.commit_log'" in done.stdout


@pytest.mark.slow
def test_a_broker_of_it_runs_with_what_is_sealed(released: Path, tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, environment=environment(released)) as broker:
        assert run_mq("topic", "create", "orders", "--endpoint", broker.endpoint).code == 0
        assert organ_of(broker)["class_name"] == "mq.broker.store.commit_log.CommitLog"


@pytest.mark.slow
def test_a_hollow_one_has_no_reference_at_all_and_runs_a_students_log(tmp_path: Path) -> None:
    folder = tmp_path / "hollow"
    release(folder, [LAB1A], Kind.NONE)
    assert 'raise NotImplementedError("lab 1a: CommitLog.append")' in (folder / "mq/broker/store/commit_log.py").read_text()
    write_all(tmp_path / "mine", solution_of(LAB1A))
    assert ask(folder, "replay", "lab1a:4.3", str(tmp_path / "mine")).returncode == 0, "the right log is then one's own"
    (tmp_path / "broker").mkdir()
    with BrokerProcess(tmp_path / "broker", "--parts", str(tmp_path / "mine"), environment=environment(folder)) as broker:
        assert run_mq("topic", "create", "orders", "--endpoint", broker.endpoint).code == 0
