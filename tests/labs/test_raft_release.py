"""The repository for students with the Raft labs in it: they can be begun, judged and gone on with, and nothing is told."""

from pathlib import Path

import pytest

from labs.grader.lab import LABS, all_labs
from labs.grader.release import Kind, release
from labs.grader.sealing import sealed_text, text_in
from labs.grader.shared import shared_by
from labs.grader.skeleton import skeleton_of, solution_of, taken_out
from labs.grader.survivors import survivors
from tests.labs.raft_drafts import DRAFTS
from tests.labs.test_release import LESSONS_RUN, ask

LAB3A, LAB3B = DRAFTS[0].lab, DRAFTS[1].lab
FIGURE_8 = LABS / "stage3_raft" / "schedules" / "figure_8.txt"


@pytest.fixture(scope="module", params=Kind)
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "students"
    release(folder, [LAB3A, LAB3B], request.param)
    return folder


def test_a_text_that_is_sealed_says_the_same_to_who_asks_for_it(tmp_path: Path) -> None:
    text = FIGURE_8.read_text(encoding="utf-8")
    file = tmp_path / "figure_8.txt"
    file.write_text(sealed_text(text), encoding="utf-8")
    assert "commit" not in file.read_text(encoding="utf-8")
    assert text_in(file) == text == text_in(FIGURE_8)


def test_it_holds_what_the_tests_need_and_tells_nothing(released: Path) -> None:
    names = {file.relative_to(released).as_posix() for file in released.rglob("*") if file.is_file()}
    assert set(shared_by(LAB3A)) <= names
    assert "labs/stage3_raft/schedules/figure_8.txt" in names
    schedules = [text.read_text(encoding="utf-8") for text in (released / "labs" / "stage3_raft").rglob("schedules*/*.txt")]
    assert len(schedules) > 60
    assert all(text.startswith("sealed: ") for text in schedules)
    others = {name for name in names if name.startswith(("labs/stage3_raft/wrong/", "labs/stage3_raft/right/"))}
    assert others == {f"labs/stage3_raft/wrong/{name}.py" for name in LESSONS_RUN}
    assert survivors(released, [*all_labs(), *(draft.lab for draft in DRAFTS[:2])]) == []
    for lab in (LAB3A, LAB3B):
        (layer,) = lab.sources
        assert "exec(compile(" in (released / layer).read_text(encoding="utf-8"), "sealed: the other lab runs on it"
        assert (released / lab.folder.relative_to(LABS.parent) / "hollow" / layer).is_file()
        assert taken_out(lab)


def test_a_student_begins_fails_goes_on_and_catches_up(released: Path) -> None:
    begun = ask(released, "start", "lab3a")
    assert begun.returncode == 0, begun.stderr
    assert "12 methods to write" in begun.stdout
    failed = ask(released, "check", "lab3a")
    assert failed.returncode == 1
    assert "`Raft._restart_timer` is not written yet" in failed.stdout
    (released / "work" / "lab3a_election" / "raft.py").write_text(solution_of(LAB3A)["raft.py"])
    for test in ("lab3a:1.40", "lab3a:2.2:poor_log_campaigns", "lab3a:2.1:8142"):
        again = ask(released, "replay", test)
        assert again.returncode == 0, again
    went_on = ask(released, "start", "lab3b")
    assert "12 methods of yours; they count here, too" in went_on.stdout
    caught_up = ask(released, "catch-up", "lab3b")
    assert caught_up.returncode == 0, caught_up.stderr
    assert (released / "work" / "lab3b_replication" / "raft.py.before_catch_up").is_file()
    now = (released / "work" / "lab3b_replication" / "raft.py").read_text()
    assert [line for line in now.splitlines() if "    def " in line] == [
        line for line in skeleton_of(LAB3B)["raft.py"].splitlines() if "    def " in line
    ]
    assert "`Raft._advance_commit` is not written yet" in ask(released, "check", "lab3b").stdout


def test_what_is_sealed_is_not_where_a_students_code_runs(released: Path, tmp_path: Path) -> None:
    (tmp_path / "raft.py").write_text("from mq.raft.node import RaftNode\n\n\nclass Raft(RaftNode):\n    __slots__ = ()\n")
    done = ask(released, "check", "lab3a", str(tmp_path))
    assert "`Election._restart_timer` is not written yet" in done.stdout
