"""A class as it comes: broken zips, names that are no text, folders nobody may read, results that somebody wrote into.

Each is a row with its reason, and nothing of it ends the grading of the others.
"""

import csv
import hmac
import json
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from labs.grader import class_run, class_table
from labs.grader.class_alike import look_alike
from labs.grader.class_graders import Graders, Heard
from labs.grader.class_run import ClassRun, Done, Entry, entries_in
from labs.grader.class_table import write_class
from labs.grader.files import as_data, write_files
from labs.grader.policy import NO_POLICY
from labs.grader.result import Grade, Outcome
from labs.grader.similarity import words_of
from labs.grader.skeleton import write_all
from labs.grader.submission import SubmissionError, place_of, read_submission
from mq.cli.main import main
from tests.labs.helpers import LAB1A

NO_TEXT = os.fsdecode(b"j\xfcrgen")
"""A name in another encoding, as an old archive leaves it."""


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "handed_in"
    folder.mkdir()
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whoever is graded gets 2 of 9 points, at once; here are their names."""
    names: list[str] = []

    def ask(_graders: Graders, wanted: dict[str, Any]) -> Heard:
        out, where = Path(wanted["out"]), Path(wanted["path"])
        names.append(where.name)
        mark = read_submission(place_of(where, LAB1A.organ_file), LAB1A.organ_file, LAB1A.texts).mark
        outcomes = (Outcome("1.1", "one", 2, is_passed=True), Outcome("1.2", "two", 7))
        grade = Grade(LAB1A.id, LAB1A.title, "tried", outcomes, reason="", mark=mark, seconds=1.25)
        write_files(out, grade)
        return Heard(json.loads(json.dumps(as_data(grade))), "")

    monkeypatch.setattr(Graders, "ask", ask)
    return names


def graded(folder: Path, key: str = "a key") -> tuple[ClassRun, list[Entry], dict[str, Done]]:
    entries = entries_in(folder, LAB1A)
    run, told = ClassRun(LAB1A, folder.parent / "out", key), list[Done]()
    run.grade_all(entries, told.append)
    assert sorted(done.name for done in told) == sorted(entry.name for entry in entries)
    return run, entries, {done.name: done for done in told}


def table(run: ClassRun) -> dict[str, dict[str, str]]:
    with (run.results / "class.csv").open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


# ---------------------------------------------------------------- broken ones


def damaged(file: Path, kind: int, flips: Callable[[int], Iterator[int]]) -> None:
    """A zip of that kind, in which bytes of the packed data are turned round."""
    with zipfile.ZipFile(file, "w", kind) as packed:
        packed.writestr("commit_log.py", "".join(f"x{number} = {number * number}\n" for number in range(3000)))
        entry = packed.infolist()[0]
    data = bytearray(file.read_bytes())
    begin = entry.header_offset + 30 + len(entry.filename)
    for at in flips(entry.compress_size):
        data[begin + at] ^= 0xFF
    file.write_bytes(data)


KINDS = {"deflated": zipfile.ZIP_DEFLATED, "lzma": zipfile.ZIP_LZMA, "bzip2": zipfile.ZIP_BZIP2, "stored": zipfile.ZIP_STORED}
MET = {"deflated": {"error", "BadZipFile"}, "lzma": {"LZMAError"}, "bzip2": {"OSError"}, "stored": {"BadZipFile"}}
"""Kinds of errors: the first one is zlib's."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_zip_is_told_wherever_it_is_broken(kind: str, tmp_path: Path) -> None:
    damaged(tmp_path / "whole.zip", KINDS[kind], lambda _size: iter(()))
    whole = read_submission(tmp_path / "whole.zip", "commit_log.py")
    told: list[SubmissionError] = []
    for number in range(40):
        file = tmp_path / f"{number}.zip"
        damaged(file, KINDS[kind], lambda size, at=number: iter((at * (size - 1) // 39,)))  # type: ignore[misc]
        try:
            assert read_submission(file, "commit_log.py") == whole, "bits that fill the last byte say nothing"
        except SubmissionError as error:
            told.append(error)
    assert all(re.search(r"\.zip cannot be read as a zip file: .", str(error)) for error in told)
    causes = {type(error.__cause__.__cause__).__name__ for error in told if error.__cause__ is not None}
    assert causes >= MET[kind], "it did not meet what it is about"


def test_a_zip_whose_lists_are_cut_or_lie_is_told(tmp_path: Path) -> None:
    damaged(tmp_path / "whole.zip", zipfile.ZIP_DEFLATED, lambda _size: iter(()))
    whole = (tmp_path / "whole.zip").read_bytes()
    assert set(read_submission(tmp_path / "whole.zip", "commit_log.py").files) == {"commit_log.py"}
    at = whole.index(b"PK\x01\x02")
    lies = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "far": whole[: at + 42] + struct.pack("<I", 0x7FFFFFFF) + whole[at + 46 :],
        "unknown kind": whole[: at + 10] + struct.pack("<H", 77) + whole[at + 12 :],
        "locked": whole[: at + 8] + struct.pack("<H", 1) + whole[at + 10 :],
    }
    for name, data in lies.items():
        (tmp_path / f"{name}.zip").write_bytes(data)
        with pytest.raises(SubmissionError, match=r"cannot be read as a zip file: ."):
            read_submission(tmp_path / f"{name}.zip", "commit_log.py")


def test_one_that_is_broken_ends_neither_the_grading_nor_the_comparing_of_the_others(
    handed_in: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ada", "eve", "shut", "worse"):
        write_all(handed_in / name, {"commit_log.py": f"x = '{name}'\n"})
    damaged(handed_in / "bob.zip", zipfile.ZIP_DEFLATED, lambda size: iter((size // 2,)))
    listed = os.listdir

    def list_some(path: Any = ".") -> list[str]:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    def read_some(where: Path, *more: Any) -> Any:
        if where.name == "worse":
            raise ZeroDivisionError("a mistake of ours")
        return read_submission(where, *more)

    monkeypatch.setattr(os, "listdir", list_some)
    monkeypatch.setattr(class_run, "read_submission", read_some)
    run, entries, told = graded(handed_in)
    assert sorted(asked) == ["ada", "eve"]
    assert {name: done.score for name, done in told.items()} == {
        "ada": 2, "bob.zip": None, "eve": 2, "shut": None, "worse": None,
    }  # fmt: skip
    assert told["bob.zip"].reason.startswith("bob.zip cannot be read as a zip file: ")
    assert told["shut"].reason == "shut cannot be read: Permission denied"
    assert told["worse"].reason == "the grader itself stopped: ZeroDivisionError: a mistake of ours"
    rows, _ = write_class(run, entries, NO_POLICY)
    assert {row.name: row.reason for row in rows} == {name: done.reason for name, done in told.items()}
    assert len(look_alike(run, entries)) == 0


# ---------------------------------------------------------------- who is in the table


def test_all_that_was_handed_in_is_a_row_whatever_it_is(handed_in: Path, asked: list[str]) -> None:
    for name in ("ada", "_bob"):
        write_all(handed_in / name, {"commit_log.py": f"x = '{name}'\n"})
    (handed_in / "cleo.ipynb").write_text("{}")
    (handed_in / "dan.pdf").write_bytes(b"%PDF")
    (handed_in / "eve").symlink_to(handed_in / "ada")
    (handed_in / "fay.py").symlink_to(handed_in / "ada" / "commit_log.py")
    (handed_in / "gus").write_text("x = 1\n")
    (handed_in / "scan.py").write_text("x = 1\n")
    os.mkfifo(handed_in / "hal")
    for name in (".DS_Store", "class.toml"):
        (handed_in / name).write_text("")
    for name in (".git", "__pycache__", "__MACOSX"):
        (handed_in / name).mkdir()
    run, entries, _ = graded(handed_in)
    write_class(run, entries, NO_POLICY)
    assert {name: row["reason"] for name, row in table(run).items()} == {
        "ada": "",
        "_bob": "",
        "cleo.ipynb": "cleo.ipynb is neither a folder nor a zip file nor a Python file",
        "dan.pdf": "dan.pdf is neither a folder nor a zip file nor a Python file",
        "eve": "eve is a link; hand in the folder itself",
        "fay.py": "fay.py is a link; hand in the folder itself",
        "gus": "gus is neither a folder nor a zip file nor a Python file",
        "hal": "hal is no plain file",
        "scan.py": "scan.py belongs into somebody's folder, and lies in none",
    }
    assert sorted(asked) == ["_bob", "ada"]


def test_who_was_not_graded_was_graded_in_no_mode(handed_in: Path, asked: list[str]) -> None:
    write_all(handed_in / "ada", {"commit_log.py": "x = 1\n"})
    (handed_in / "bob.zip").write_bytes(b"PK, but no zip")
    (handed_in / "cleo").mkdir()
    run, entries, _ = graded(handed_in)
    write_class(run, entries, NO_POLICY)
    assert asked == ["ada"]
    assert {name: row["mode"] for name, row in table(run).items()} == {
        "ada": "tried", "bob.zip": "not graded", "cleo": "not graded",
    }  # fmt: skip
    page = (run.results / "class.html").read_text(encoding="utf-8")
    assert "3 submissions, 1 graded: median 2 points. All in tried." in page
    assert "practice mode" not in page + (run.results / "cleo" / "report.html").read_text(encoding="utf-8")


def test_a_class_of_which_nobody_can_be_graded_is_one_when_there_are_due_dates(handed_in: Path) -> None:
    (handed_in / "ada.ipynb").write_text("{}")
    assert entries_in(handed_in, LAB1A) == []
    (handed_in / "class.toml").write_text("")
    assert [entry.name for entry in entries_in(handed_in, LAB1A)] == ["ada.ipynb"]


def test_a_name_that_is_no_text_is_in_the_table_the_page_and_on_the_terminal(
    handed_in: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (NO_TEXT, "ada"):
        write_all(handed_in / name, {"commit_log.py": "x = 1\n"})
    (handed_in / f"{NO_TEXT}.pdf").write_bytes(b"")
    out = handed_in.parent / "out"
    assert main(["lab", "grade", "lab1a", str(handed_in), "--out", str(out)]) == 2, "one of them cannot be graded"
    said = capsys.readouterr()
    assert "j�rgen" in said.out
    assert "j�rgen.pdf is neither" in said.err
    assert set(table(ClassRun(LAB1A, out))) == {"ada", "j\\udcfcrgen", "j\\udcfcrgen.pdf"}
    assert 'href="j%FCrgen/report.html"' in (out / "class.html").read_text(encoding="utf-8")
    assert (out / NO_TEXT / "report.html").exists()
    assert main(["lab", "grade", "lab1a", str(handed_in), "--out", str(out), "-o", "json"]) == 2
    names = [each["name"] for each in json.loads(capsys.readouterr().out)["submissions"]]
    assert len(names) == len(asked) + 1 == 3, "those two were graded once"


# ---------------------------------------------------------------- what is believed


def test_what_somebody_wrote_into_a_result_is_neither_in_the_table_nor_taken_the_next_time(
    handed_in: Path, asked: list[str]
) -> None:
    for name in ("ada", "bob", "cleo"):
        write_all(handed_in / name, {"commit_log.py": f"x = '{name}'\n"})
    run, entries, _ = graded(handed_in)
    file, seal = run.results / "ada/result.json", run.results / "ada/graded.json"
    honest, sealed = file.read_text(), seal.read_text()
    file.write_text(honest.replace('"score": 2', '"score": 9').replace('"passed": false', '"passed": true'))
    assert file.read_text() != honest
    (run.results / "bob/graded.json").unlink()
    write_class(run, entries, NO_POLICY)
    assert {name: row["score"] for name, row in table(run).items()} == {"ada": "2", "bob": "2", "cleo": "2"}
    asked.clear()
    _, _, told = graded(handed_in)
    assert sorted(asked) == ["ada", "bob"]
    assert {done.name: (done.score, done.is_new) for done in told.values()} == {
        "ada": (2, True), "bob": (2, True), "cleo": (2, False),
    }  # fmt: skip
    assert (file.read_text(), seal.read_text()) == (honest, sealed), "the same files have the same seal"


def test_nobody_can_make_a_seal_who_does_not_know_the_key(handed_in: Path, asked: list[str]) -> None:
    write_all(handed_in / "ada", {"commit_log.py": "x = 1\n"})
    made: dict[str, dict[str, Any]] = {}
    for key in ("a key", "another"):
        run, _, _ = graded(handed_in, key)
        made[key] = json.loads((run.results / "ada/graded.json").read_text())
    assert asked == ["ada", "ada"]
    assert len({each["seal"] for each in made.values()}) == 2
    # All that is known without the key may be written down: it is not enough.
    stamp, file = made["another"], run.results / "ada/result.json"
    found = {**json.loads(file.read_text()), "score": 9}
    file.write_text(json.dumps(found))
    whole = json.dumps(found, sort_keys=True, ensure_ascii=False).encode()
    said = f"{stamp['graded by']} {stamp['submission']} ".encode() + whole
    for number, forged in enumerate((made["a key"]["seal"], hmac.new(b"", said, sha256).hexdigest(), sha256(said).hexdigest())):
        file.write_text(json.dumps(found))
        (run.results / "ada/graded.json").write_text(json.dumps({**stamp, "seal": forged}))
        _, _, told = graded(handed_in, "another")
        assert told["ada"] == ("ada", 2, "", True)
        assert len(asked) == 3 + number


# ---------------------------------------------------------------- comparing

QUOTES = {
    "escaped ones": '"' + '\\"' * (127 << 10),
    "one kind": "'" * (255 << 10) + '"',
    "in turn": "\"'" * (127 << 10),
    "three by three": "'''\"\"\"" * (42 << 10) + "'",
    "escaped, with a sign before": "r" + "\\'" * (127 << 10),
    "open to the end of the line": '"\\\n' * (85 << 10),
    "never closed": '"""' + "x ' " * (60 << 10),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", QUOTES)
def test_a_file_of_quotes_is_read_once(name: str) -> None:
    """Each of them is a megabyte's quarter; read again from each quote it takes minutes."""
    assert len(list(words_of("x = 1\n" + QUOTES[name]))) >= 3


def test_a_text_that_is_not_closed_ends_with_its_line() -> None:
    assert [word for word, _ in words_of("x = 'abc\ny = 2\n")] == ["n", "=", "s", "n", "=", "0"]
    assert [word for word, _ in words_of("x = 'a\\\nb' + y\n")] == ["n", "=", "s", "+", "n"]


def test_the_marks_are_written_before_anything_is_compared(
    handed_in: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(handed_in / "ada", {"commit_log.py": "x = 1\n"})
    run, entries, _ = graded(handed_in)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(class_table, "look_alike", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_class(run, entries, NO_POLICY)
    assert table(run)["ada"]["score"] == "2"
    assert asked == ["ada"]
