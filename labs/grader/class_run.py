"""A whole class: each submission is graded by a process of its own, some at once, and what was graded before is not graded again.

    RESULTS/NAME/           result.json, results.json, report.html of one submission; graded.json when that is whole
    RESULTS/class.csv, class.html, similarity.csv

Whether something was graded before is told by the submission's fingerprint and by that of the grader, the lab and the key: a file
that changed is graded anew, and so is all when the key or a test changed.
"""

import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from labs.grader.box import ROOT
from labs.grader.files import write_files
from labs.grader.grading import PRACTICE
from labs.grader.lab import Lab
from labs.grader.result import Grade
from labs.grader.submission import Submission, SubmissionError, place_of, read_submission

__all__ = ["ClassRun", "Done", "Entry", "entries_in", "read_entry"]

_GRADED = "graded.json"
_SECONDS_MAX = 3600.0
_JUDGED_BY = ("labs/grader", "mq/core", "mq/sim", "mq/broker", "mq/raft")
_MARK = "graded by"
_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")


class Entry(NamedTuple):
    """name: of the folder or file that was handed in."""

    name: str
    path: Path


class Done(NamedTuple):
    """score: None when it could not be graded; then reason says why. is_new: it was graded just now."""

    name: str
    score: int | None
    reason: str
    is_new: bool


def entries_in(folder: Path, lab: Lab) -> list[Entry]:
    """All that was handed in: folders, zip files and Python files. Empty when the folder is itself a submission.

    Archives of other kinds are among them, so that the table says of each that it cannot be read.
    """
    if not folder.is_dir() or (folder / lab.organ_file).exists():
        return []
    there = sorted(each for each in folder.iterdir() if each.name[0] not in "._" and not each.is_symlink())
    names = {each.name for each in there}
    # Files of a lab lie in a folder of one person; else each Python file is what one person handed in.
    kinds = _ARCHIVES if names & set(lab.files) else (*_ARCHIVES, ".py")
    return [Entry(each.name, each) for each in there if each.is_dir() or each.suffix.lower() in kinds]


def read_entry(entry: Entry, lab: Lab) -> Submission:
    """Raises: SubmissionError."""
    return read_submission(place_of(entry.path, lab.organ_file), lab.organ_file, lab.texts)


@dataclass(frozen=True)
class ClassRun:
    """results: the folder for what comes out. jobs: so many at once. is_again: what was graded before is graded again."""

    lab: Lab
    results: Path
    key: str = ""
    jobs: int = 1
    is_container: bool = False
    is_again: bool = False

    def grade_all(self, entries: list[Entry], tell: Callable[[Done], None]) -> None:
        """Grade them; `tell` is told each as it is done. What is stopped in the middle goes on the next time."""
        judge = self._judge()
        processes: set[subprocess.Popen[bytes]] = set()
        lock = threading.Lock()
        with ThreadPoolExecutor(self.jobs, "class") as pool:
            futures = [pool.submit(self._one, entry, judge, processes, lock) for entry in entries]
            try:
                for future in as_completed(futures):
                    tell(future.result())
                    futures.remove(future)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                with lock:
                    for process in processes:
                        process.kill()
                raise

    def result_of(self, name: str) -> dict[str, object]:
        """What is known of one submission: its `result.json`."""
        try:
            found = json.loads((self.results / name / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        return found if isinstance(found, dict) else {"score": 0, "reason": "there is no result", "tests": []}

    # --- one of them

    def _one(self, entry: Entry, judge: str, processes: "set[subprocess.Popen[bytes]]", lock: threading.Lock) -> Done:
        out = self.results / entry.name
        try:
            submission = read_entry(entry, self.lab)
        except SubmissionError as error:
            reason = str(error).replace(f"{entry.path.parent}/", "")
            write_files(out, Grade(self.lab.id, self.lab.title, PRACTICE, reason=reason, points_max=self._points))
            return Done(entry.name, None, reason, is_new=True)
        stamp = json.dumps({"submission": submission.mark, _MARK: judge})
        if not self.is_again and self._stamp_of(out) == stamp:
            return self._done(entry.name, is_new=False)
        (out / _GRADED).unlink(missing_ok=True)
        reason = self._grade(entry, out, processes, lock)
        found = self.result_of(entry.name)
        if reason or found.get("submission") != submission.mark:
            why = reason or str(found.get("reason") or "it changed while it was graded")
            write_files(out, Grade(self.lab.id, self.lab.title, PRACTICE, reason=why, points_max=self._points))
            return Done(entry.name, None, why, is_new=True)
        if not found["reason"]:
            (out / _GRADED).write_text(stamp, encoding="utf-8")
        return self._done(entry.name, is_new=True)

    def _grade(self, entry: Entry, out: Path, processes: "set[subprocess.Popen[bytes]]", lock: threading.Lock) -> str:
        """In a process of its own. Returns why there is no result, or nothing."""
        command = [sys.executable, "-m", "labs.grader.one"]
        wanted = {
            "lab": self.lab.id, "path": str(entry.path.resolve()), "out": str(out.resolve()), "key": self.key,
            "is_container": self.is_container,
        }  # fmt: skip
        with subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            with lock:
                processes.add(process)
            assert process.stdin is not None
            assert process.stderr is not None
            try:
                process.stdin.write(json.dumps(wanted).encode() + b"\n")
                process.stdin.flush()  # it stays open: the grader ends with us
                timer = threading.Timer(_SECONDS_MAX, process.kill)
                timer.start()
                said = process.stderr.read()
                status = process.wait()
                timer.cancel()
            except OSError as error:
                return f"the grader could not be asked: {error}"
            finally:
                with lock:
                    processes.discard(process)
        if status == 0:
            return ""
        last = said.decode("utf-8", "replace").strip().split("\n")[-1][:200]
        return f"the grader ended with {status}{': ' + last if last else ''}"

    def _done(self, name: str, *, is_new: bool) -> Done:
        found = self.result_of(name)
        reason = str(found.get("reason") or "")
        score = found.get("score")
        return Done(name, score if isinstance(score, int) and not reason else None, reason, is_new)

    @staticmethod
    def _stamp_of(out: Path) -> str:
        try:
            return (out / _GRADED).read_text(encoding="utf-8")
        except OSError:
            return ""

    @property
    def _points(self) -> int:
        return sum(check.points for check in self.lab.suite.checks)

    def _judge(self) -> str:
        """A fingerprint of all that a mark depends on but the submission. It does not tell the key."""
        whole = sha256(f"{self.lab.id} {self.is_container}".encode())
        for file in self._judging():
            whole.update(file.name.encode() + b"\0" + file.read_bytes())
        return hmac.new(self.key.encode(), whole.digest(), sha256).hexdigest()

    def _judging(self) -> Iterator[Path]:
        yield self.lab.folder / "lab.toml"
        for folder in (*(ROOT / name for name in _JUDGED_BY), self.lab.folder):
            yield from sorted(file for file in folder.rglob("*.py") if "__pycache__" not in file.parts)
