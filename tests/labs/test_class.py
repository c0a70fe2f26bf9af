"""A class is graded by one command: each fails alone, it goes on where it was killed, and copies are found."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labs.grader.alike_texts import TextPair
from labs.grader.class_alike import REFERENCE, look_alike
from labs.grader.class_run import ClassRun, Done, Entry, entries_in
from labs.grader.class_table import write_class
from labs.grader.lab import Lab, find_lab
from labs.grader.policy import NO_POLICY, Policy, PolicyError, read_policy
from labs.grader.similarity import pairs_of, print_of, words_of
from labs.grader.skeleton import skeleton_of, solution_of, write_all, written_up_to
from tests.labs.helpers import LAB1A, ROOT

KEY = "a key that no student knows"
RENAMED = {"segment": "seg", "state": "st", "entries": "rows", "plan": "ops", "position": "where", "data": "raw", "old": "prev"}
MQ = "import sys; from mq.cli.main import main; sys.exit(main(sys.argv[1:]))"


def started(folder: Path, count: int = 0, note: str = "") -> Path:
    """A submission in which the first functions are written. It fails soon, so that a grade is short."""
    files = written_up_to(LAB1A, count)
    write_all(folder, {name: text + note for name, text in files.items()})
    return folder


def a_class(folder: Path) -> Path:
    """Twelve of them: honest ones, one as a zip, two that are alike, three that cannot be graded, two that cheat."""
    for number, name in enumerate(("ada", "bob", "cleo", "dan", "eve")):
        started(folder / name, 4, note=f"\n# {number}\n")
    started(folder / "fay", 6)
    copied = folder / "gus" / "lab1a_commit_log"
    started(copied, 6)
    for file in copied.glob("*.py"):
        text = file.read_text()
        for name, other in RENAMED.items():
            text = re.sub(rf"\b{name}\b", other, text)
        file.write_text("# my own work\n" + text.replace('"""', '"""My words. '))
    with zipfile.ZipFile(folder / "hal.zip", "w") as packed:
        for name, text in skeleton_of(LAB1A).items():
            packed.writestr(f"hal/{name}", text)
    (folder / "ida").mkdir()
    (folder / "ida/notes.txt").write_text("I will hand in tomorrow")
    (folder / "=joe").mkdir()
    (folder / "=joe/commit_log.py").symlink_to("/etc/passwd")
    write_all(folder / "kim", {"commit_log.py": "import os\nos._exit(0)\n"})
    write_all(folder / "liz", {"commit_log.py": "print('{\"score\": 100}')\nclass CommitLog: pass\n"})
    return folder


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassRun, list[Entry], list[Done]]:
    folder = a_class(tmp_path_factory.mktemp("class") / "handed_in")
    entries = entries_in(folder, LAB1A)
    run, told = ClassRun(LAB1A, folder.parent / "results", KEY, jobs=3), list[Done]()
    run.grade_all(entries, told.append)
    return run, entries, told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_has_its_result_or_says_why_not(graded: tuple[ClassRun, list[Entry], list[Done]]) -> None:
    run, entries, told = graded
    by_name = {done.name: done for done in told}
    assert len(entries) == len(by_name) == 12
    assert by_name["ida"] == ("ida", None, "there is no commit_log.py in ida", True)
    assert "is a link" in by_name["=joe"].reason
    assert (by_name["hal.zip"].score, by_name["kim"].score, by_name["liz"].score) == (0, 0, 0)
    assert by_name["gus"].score is not None
    assert 0 < (by_name["ada"].score or 0) < (by_name["fay"].score or 0), "who wrote more has more"
    assert "ended in the middle" in json.dumps(run.result_of("kim"))
    assert {"report.html", "results.json", "graded.json"} <= {file.name for file in (run.results / "ada").iterdir()}
    assert KEY not in "".join(file.read_text() for file in run.results.rglob("*.json"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_second_time_nothing_is_graded_again_but_what_changed(graded: tuple[ClassRun, list[Entry], list[Done]]) -> None:
    run, entries, first = graded
    some = {entry.name: entry for entry in entries if entry.name in ("kim", "liz", "hal.zip")}
    (some["liz"].path / "more.py").write_text("x = 1\n")
    told: list[Done] = []
    run.grade_all(list(some.values()), told.append)
    assert {done.name: done.is_new for done in told} == {"hal.zip": False, "kim": False, "liz": True}
    assert {(done.name, done.score) for done in told} <= {(done.name, done.score) for done in first}
    with_another_key, again = ClassRun(LAB1A, run.results, "another key", jobs=2), list[Done]()
    with_another_key.grade_all([some["kim"]], again.append)
    assert again[0].is_new, "other seeds, so another grade"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_table_and_the_page(graded: tuple[ClassRun, list[Entry], list[Done]]) -> None:
    run, entries, _ = graded
    rows, found = write_class(run, entries, Policy())
    with (run.results / "class.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["'=joe", *sorted(row.name for row in rows if row.name != "=joe")]
    ida = next(row for row in table if row["name"] == "ida")
    assert (ida["score"], ida["mark"], ida["reason"]) == ("", "", "there is no commit_log.py in ida")
    ada = next(row for row in table if row["name"] == "ada")
    assert (ada["max_score"], ada["1.1"], ada["2.1"], ada["4.3"]) == ("100", "1", "0", "0")
    page = (run.results / "class.html").read_text()
    links = Links()
    links.feed(page)
    assert "%3Djoe/report.html" in links.found
    assert all((run.results / link.replace("%3D", "=")).exists() for link in links.found)
    assert "fay and gus" in page
    assert not re.search(r"https?://", page), "it needs nothing from outside"
    assert ("fay", "gus") in {(pair.one, pair.other) for pair in found.code}
    assert "gus" in next(row for row in table if row["name"] == "fay")["alike"]


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("src", "href")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_is_killed_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "handed_in"
    for name in ("a", "b", "c"):
        started(folder / name, note=f"\n# {name}\n")
    write_all(folder / "d", {"commit_log.py": "while True: pass\n"})  # ends by its deadline alone
    command = [
        sys.executable,
        "-c",
        MQ,
        "lab",
        "grade",
        "lab1a",
        str(folder),
        "--seed",
        "3",
        "--jobs",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    environment = surroundings(tmp_path)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment) as process:
        assert process.stderr is not None
        assert any(line.startswith("2/4") for line in process.stderr)
        process.send_signal(signal.SIGKILL)
    done = {file.parent.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*/graded.json")}
    assert sorted(done) == ["a", "b"]
    (folder / "d/commit_log.py").write_text("import os\nos._exit(0)\n")
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 0, again
    assert re.search(r"a: 0 points \(graded before\)", again.stderr)
    assert not re.search(r"[cd]: 0 points \(graded before\)", again.stderr)
    assert {name: (tmp_path / "out" / name / "graded.json").stat().st_mtime_ns for name in done} == done
    assert (tmp_path / "out/class.html").exists()
    assert none_is_left(tmp_path), "what grades one of them does not outlive the command"


def surroundings(folder: Path) -> dict[str, str]:
    """Variables with a folder for boxes, by which graders and workers are found: it is in the variables of all of them."""
    (folder / "boxes").mkdir()
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "boxes")}


def orphans(folder: Path) -> list[str]:
    """Graders of ours, and workers of theirs, that still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{folder}/boxes".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode().replace("\0", " "))
    return found


def none_is_left(folder: Path) -> bool:
    """One look is not enough: whoever was listed may end before it is read, and have started a last one behind the list."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not orphans(folder) and not orphans(folder):
            return True
        os.sched_yield()
    return False


HANGS = "import time\nopen({file!r}, 'w').close()\ntime.sleep(3600)\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only /proc tells what a process was started with")
@pytest.mark.parametrize("how", ["it is killed", "it is interrupted", "Ctrl-C at the terminal"])
def test_however_it_is_stopped_a_submission_that_hangs_does_not_go_on(how: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    write_all(tmp_path / "handed_in/ada", {"commit_log.py": HANGS.format(file=str(begun))})
    command = [sys.executable, "-c", MQ, "lab", "grade", "lab1a", str(tmp_path / "handed_in"), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=surroundings(tmp_path), start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while not begun.exists() and time.monotonic() < deadline:
            os.sched_yield()
        kinds = ("mq.cli.main", "labs.grader.one", "labs.grader.inside.worker")
        assert [kind for kind in kinds if not any(kind in line for line in orphans(tmp_path))] == [], "else this tests nothing"
        if how == "Ctrl-C at the terminal":  # all of its group hear it
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGKILL if how == "it is killed" else signal.SIGINT)
        _, said = process.communicate(timeout=120)
    if how != "it is killed":
        assert process.returncode == 130, said
        assert "Stopped. The same command goes on from here." in said
        assert orphans(tmp_path) == [], "it waits for them"
    assert none_is_left(tmp_path)


def test_a_submission_is_not_taken_for_a_class(tmp_path: Path) -> None:
    started(tmp_path / "mine")
    assert entries_in(tmp_path / "mine", LAB1A) == []
    assert [entry.name for entry in entries_in(tmp_path, LAB1A)] == ["mine"]
    (tmp_path / "mine/commit_log.py").unlink()
    assert entries_in(tmp_path / "mine", LAB1A) == [], "one file was forgotten, the others are no submissions"
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "mine")
    (tmp_path / "class.toml").write_text("")
    assert [entry.name for entry in entries_in(tmp_path, LAB1A)] == ["linked", "mine"], "a link says in the table that it is one"


# ---------------------------------------------------------------- alike


def test_words_lose_names_numbers_texts_comments_and_layout() -> None:
    one = 'def append(self, plan):  # adds\n    """Adds."""\n    if plan == 3:\n        return f(plan, "x")\n'
    other = "def put( self , steps ):\n    if steps==77: return g(steps, 'other')\n"
    assert [word for word, _ in words_of(one)] == [word for word, _ in words_of(other)]
    assert [word for word, _ in words_of("x = 1\n")] != [word for word, _ in words_of("x += 1\n")]
    assert list(words_of("'''never ends")), "what is no Python has words, too"
    assert [line for _, line in words_of("a\n'''\n\n'''\nb")] == [1, 5]


def test_a_copy_with_other_names_and_another_order_is_found_and_what_is_given_is_not(tmp_path: Path) -> None:
    entries = entries_in(a_class(tmp_path), LAB1A)
    pairs = look_alike(ClassRun(LAB1A, tmp_path / "out"), entries).code
    assert {(pair.one, pair.other) for pair in pairs} >= {("fay", "gus")}
    names = {pair.one for pair in pairs} | {pair.other for pair in pairs}
    assert names <= {"fay", "gus", REFERENCE}, "five of twelve wrote the same method: that says nothing"
    best = next(pair for pair in pairs if (pair.one, pair.other) == ("fay", "gus"))
    assert best.share > 0.7
    assert any(here.file == "commit_log.py" and here.last - here.first > 5 for here, _ in best.lines)


def test_two_who_wrote_on_their_own_are_not_alike() -> None:
    right = LAB1A.folder / "right"
    prints = [print_of(file.stem, {"commit_log.py": file.read_bytes()}) for file in sorted(right.glob("*.py"))]
    prints.append(print_of("reference", {name: text.encode() for name, text in solution_of(LAB1A).items()}))
    skeleton = print_of("skeleton", {name: text.encode() for name, text in skeleton_of(LAB1A).items()})
    assert pairs_of(prints, [skeleton]) == []


# ---------------------------------------------------------------- texts

MINE = """
schedule bread must stay        # my first one
  append loaf of 650 bytes
  append crumb of 41 bytes
  carry out 2
  lose power after 3 operations, keep first 77 bytes
  expect loaf

schedule the second
  append roll of 333 bytes
  carry out
  append bun of 444 bytes
  lose power after 5 operations
  expect roll
  expect not bun
"""
OTHER_NAMES = {"loaf": "x1", "crumb": "x2", "roll": "y1", "bun": "y2", "bread must stay": "one", "the second": "two"}
OTHER = """
schedule ends
  append first of 700 bytes
  carry out
  append second of 700 bytes
  lose power after 4 operations
  expect first

schedule torn
  append cake of 90 bytes
  carry out
  append pie of 1200 bytes
  lose power after 1 operations, keep sectors 1 3
  expect the same
"""


def with_texts(folder: Path, lab: Lab, texts: dict[str, str]) -> list[TextPair]:
    """Of submissions that are skeletons with a text of their own."""
    for name, text in texts.items():
        write_all(folder / name, {lab.organ_file: skeleton_of(lab)[lab.organ_file], lab.texts[0]: text})
    return list(look_alike(ClassRun(lab, folder / "out"), entries_in(folder, lab)).texts)


def copied(text: str) -> str:
    for name, other in OTHER_NAMES.items():
        text = text.replace(name, other)
    return text


def test_schedules_that_are_copied_are_found_also_with_other_names(tmp_path: Path) -> None:
    ours = solution_of(LAB1A)["kills.txt"]
    given = skeleton_of(LAB1A)["kills.txt"]
    texts = {"ada": MINE, "bob": MINE.replace("# my first one", "").upper().lower(), "cleo": copied(MINE), "dan": OTHER,
             "eve": given, "fay": given, "gus": f"# thought of it myself\n{ours}"}  # fmt: skip
    pairs = with_texts(tmp_path, LAB1A, texts)
    wanted = (("ada", "bob"), ("ada", "cleo"), ("bob", "cleo"), ("gus", REFERENCE))
    assert {frozenset((pair.one, pair.other)) for pair in pairs} == set(map(frozenset, wanted))
    best = next(pair for pair in pairs if (pair.one, pair.other) == ("ada", "cleo"))
    assert best.share == 1
    assert ("append loaf of 650 bytes", "append x1 of 650 bytes") in {(here.text, there.text) for here, there in best.lines}


def test_answers_count_when_they_are_not_those_that_all_who_are_right_give(tmp_path: Path) -> None:
    lab0 = find_lab("lab0")
    right = solution_of(lab0)["answers.toml"]
    own = right.replace("1874080267:0.2.12", "77:1.5.9").replace('"m2"', '"m11"').replace("[1, 3]         ", "[5, 8]")
    own = own.replace("promised_at = 2", "promised_at = 7").replace("broken_at = 6", "broken_at = 9")
    pairs = with_texts(tmp_path, lab0, {"ada": right, "bob": right, "cleo": own, "dan": own.replace(" = ", "=")})
    assert [(pair.one, pair.other) for pair in pairs] == [("cleo", "dan")]
    assert {"again", "lost", "tickets"} <= {here.text.split()[0] for here, _ in pairs[0].lines}


def test_what_a_third_of_the_class_wrote_in_texts_counts_for_nothing(tmp_path: Path) -> None:
    assert with_texts(tmp_path, LAB1A, dict.fromkeys(("ada", "bob", "cleo", "dan", "eve"), MINE)) == []


def test_texts_that_are_alike_are_in_the_table_the_page_and_the_file(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        write_all(tmp_path / "in" / name, {"commit_log.py": f"x = '{name}'\n", "kills.txt": f"{MINE}# <{name}>\n"})
    (tmp_path / "in/dan.rar").write_bytes(b"Rar!")
    (tmp_path / "in/EVE.ZIP").write_bytes(b"no zip")
    run = ClassRun(LAB1A, tmp_path / "out", KEY)
    entries = entries_in(tmp_path / "in", LAB1A)
    assert [entry.name for entry in entries] == ["EVE.ZIP", "ada", "bob", "dan.rar"]
    told: list[Done] = []
    run.grade_all([entry for entry in entries if entry.name not in ("ada", "bob")], told.append)
    assert {done.name: done.reason for done in told} == {
        "dan.rar": "dan.rar is neither a folder nor a zip file nor a Python file",
        "EVE.ZIP": "EVE.ZIP cannot be read as a zip file: File is not a zip file",
    }
    _, found = write_class(run, entries, NO_POLICY)
    assert len(found) == 1
    with (tmp_path / "out/class.csv").open(newline="") as file:
        cells = {row["name"]: row["alike"] for row in csv.DictReader(file)}
    assert cells == {"ada": "bob 100% of its texts", "bob": "ada 100% of its texts", "EVE.ZIP": "", "dan.rar": ""}
    with (tmp_path / "out/similarity.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["one"], row["other"], row["of"]) == ("ada", "bob", "texts")
    assert "kills.txt:3 = kills.txt:3" in row["lines"]
    page = (tmp_path / "out/class.html").read_text()
    assert "Alike in kills.txt" in page
    assert "append loaf of 650 bytes" in page
    assert "bob 100% of its texts" in page


# ---------------------------------------------------------------- late

POLICY = """
[lab1a]
due = 2026-12-04T23:59:00+01:00
late_percent_per_day = 10
late_days_max = 3
[extra_days]
ada = 2
[handed_in]
ada = 2026-12-06T10:00:00+01:00
bob = 2026-12-05T00:00:00+01:00
cleo = 2026-12-04T22:58:00Z
dan = 2026-12-09T00:00:00+01:00
"""


@pytest.mark.parametrize(
    ("name", "days", "points"), [("ada", 0, 80), ("bob", 1, 72), ("cleo", 0, 80), ("dan", 5, 0), ("nobody", None, 80)]
)
def test_what_being_late_costs(name: str, days: int | None, points: float, tmp_path: Path) -> None:
    (tmp_path / "class.toml").write_text(POLICY)
    assert read_policy(tmp_path / "class.toml", "lab1a").late(name, 80) == (type(late := NO_POLICY.late(name, 80)))(days, points)
    assert (late.days, late.points) == (0, 80)


def test_who_handed_in_a_file_is_known_by_its_name_without_what_says_its_kind(tmp_path: Path) -> None:
    (tmp_path / "class.toml").write_text(POLICY)
    policy = read_policy(tmp_path / "class.toml", "lab1a")
    assert policy.late("bob.zip", 80) == policy.late("bob", 80)
    assert policy.late("ada.py", 80).days == 0
    assert policy.late("bob.old", 80).days is None
    assert policy.strangers(["ada", "bob.zip", "dan.ZIP"]) == ["cleo"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[lab1a]\ndue = 2026-12-04", "expected a moment with its offset"),
        ("[lab1a]\ndue = 2026-12-04T10:00:00", "expected a moment with its offset"),
        ("[lab1a]\nlate = 3", r"\[lab1a\] knows due, late_days_max, late_percent_per_day, not late"),
        ("[lab1a]\nlate_percent_per_day = '10'", "expected a number from 0 on"),
        ("[extra_days]\nada = -1", "expected a number from 0 on"),
        ("[lab1a", "class.toml"),
        ("[lab1a]\ndue = 2026-12-04T23:59:00", r"\[lab1a\] due is 2026-12-04T23:59:00, expected"),
        ("[lab1a]\nlate_percent_per_day = true", "late_percent_per_day is true, expected"),
        (
            "[lab9z]\ndue = 2026-12-04T23:59:00+01:00",
            r"there is no \[lab9z\]; its tables are \[lab0\], .*\[lab1a\], .*\[handed_in\]$",
        ),
        ("[handed]\nada = 2026-12-04T23:59:00+01:00", r"there is no \[handed\]; its tables are"),
        ("[[lab1a]]\nlate_days_max = 3", r"lab1a is .*, expected a table \[lab1a\]"),
        ("handed_in = 3", r"handed_in is 3, expected a table \[handed_in\]"),
    ],
)
def test_a_policy_that_says_something_else_is_refused(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "class.toml").write_text(text)
    with pytest.raises(PolicyError, match=complaint):
        read_policy(tmp_path / "class.toml", "lab1a")


def test_a_file_with_due_dates_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"^there is no .*nope\.toml$"):
        read_policy(tmp_path / "nope.toml", "lab1a")


def test_due_dates_of_other_labs_are_no_business_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "class.toml").write_text("[lab3a]\ndue = 2026-12-04T23:59:00+01:00\n")
    assert read_policy(tmp_path / "class.toml", "lab1a") == NO_POLICY
