"""A whole class: each submission is graded by a process of its own, some at once, and what was graded before is not graded again.

    RESULTS/NAME/           result.json, results.json, report.html of one submission; graded.json when that is whole
    RESULTS/class.csv, class.html, similarity.csv

Whether something was graded before is told by the submission's fingerprint and by that of the grader, the lab and the key: a file
that changed is graded anew, and so is all when the key or a test changed. So is what somebody wrote into a result afterwards:
`graded.json` holds a seal, made with the key, of what the grading process said.
"""

import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from labs.grader.box import ROOT
from labs.grader.class_graders import Graders
from labs.grader.files import as_data, write_files
from labs.grader.grading import PRACTICE, how_to_run
from labs.grader.lab import Lab
from labs.grader.result import NOT_GRADED, Grade
from labs.grader.shared import shared_by
from labs.grader.submission import Submission, SubmissionError, place_of, read_submission

__all__ = ["ClassRun", "Done", "Entry", "entries_in", "is_of_the_table", "read_entry"]

_GRADED = "graded.json"
_JUDGED_BY = ("labs/grader", "mq/core", "mq/sim", "mq/broker", "mq/raft")
_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_POLICY = "class.toml"
_OF_THE_TABLE = ("class.csv", "class.html", "similarity.csv")
"""What lies beside the folders with the results: nobody's folder can be called so, on no file system."""
_OF_MACHINES = ("__pycache__", "__MACOSX")
"""Folders that nobody hands in: Python and an unpacker leave them."""


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
    """All that lies there, each by one person. Empty when the folder is itself a submission.

    What cannot be graded is among them, such as links, notebooks and archives of other kinds, so that the table says why not.
    """
    if not folder.is_dir() or (folder / lab.organ_file).exists():
        return []
    there = sorted(each for each in folder.iterdir() if each.name[0] != "." and each.name not in (_POLICY, *_OF_MACHINES))
    # Files of a lab lie in a folder of one person; else each Python file is what one person handed in.
    is_one_persons = bool({each.name for each in there} & {*lab.files, *lab.texts}) or not lab.files
    kinds = _ARCHIVES if is_one_persons else (*_ARCHIVES, ".py")
    plain = [each for each in there if each.name[0] != "_" and not each.is_symlink()]
    is_class = any(each.is_dir() or each.suffix.lower() in kinds for each in plain) or (folder / _POLICY).exists()
    return [Entry(each.name, each) for each in there] if is_class else []


def is_of_the_table(name: str) -> bool:
    """Whether the results of a submission of that name would lie where a file of the table belongs."""
    return name.casefold() in _OF_THE_TABLE


def read_entry(entry: Entry, lab: Lab) -> Submission:
    """Raises: SubmissionError."""
    if is_of_the_table(entry.name):
        raise SubmissionError(f"{entry.name} is what a file of the table is called; give it the name of whose it is")
    if entry.name in (*lab.files, *lab.texts, "__init__.py") and not entry.path.is_dir():
        raise SubmissionError(f"{entry.name} belongs into somebody's folder, and lies in none")
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
    _found: dict[str, dict[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def grade_all(self, entries: list[Entry], tell: Callable[[Done], None]) -> None:
        """Grade them; `tell` is told each as it is done. What is stopped in the middle goes on the next time.

        Raises: NoContainersError where marks need containers, and there are none.
        """
        judge, graders = self._judge(), Graders()
        with ThreadPoolExecutor(self.jobs, "class") as pool:
            futures = [pool.submit(self._one, entry, judge, graders) for entry in entries]
            try:
                for future in as_completed(futures):
                    tell(future.result())
                    futures.remove(future)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                graders.stop()
                raise

    def result_of(self, name: str) -> dict[str, Any]:
        """What the grading process said of one submission, now or when it was sealed; `result.json` is for people."""
        return self._found.get(name, {"score": 0, "reason": "there is no result", "tests": []})

    # --- one of them

    def _one(self, entry: Entry, judge: str, graders: Graders) -> Done:
        """Whatever is wrong with it, the others are graded."""
        try:
            return self._graded(entry, judge, graders)
        except SubmissionError as error:
            return self._not_graded(entry, str(error).replace(f"{entry.path.parent}/", ""))
        except Exception as error:  # noqa: BLE001 - it is told in its row
            return self._not_graded(entry, f"the grader itself stopped: {type(error).__name__}: {error}")

    def _graded(self, entry: Entry, judge: str, graders: Graders) -> Done:
        """Raises: SubmissionError."""
        submission, out = read_entry(entry, self.lab), self.results / entry.name
        known = None if self.is_again else self._sealed(out, submission, judge)
        if known is not None:
            return self._done(entry.name, known, is_new=False)
        (out / _GRADED).unlink(missing_ok=True)
        wanted = {
            "lab": self.lab.id, "path": str(entry.path.resolve()), "out": str(out.resolve()), "key": self.key,
            "is_container": self.is_container,
        }  # fmt: skip
        found, reason = graders.ask(wanted)
        if reason or found.get("submission") != submission.mark:
            return self._not_graded(entry, reason or str(found.get("reason") or "it changed while it was graded"))
        if not found["reason"]:
            (out / _GRADED).write_text(self._stamp(found, submission, judge), encoding="utf-8")
        return self._done(entry.name, found, is_new=True)

    def _done(self, name: str, found: dict[str, Any], *, is_new: bool) -> Done:
        self._found[name] = found
        return Done(name, None if found["reason"] else found["score"], str(found["reason"]), is_new)

    def _not_graded(self, entry: Entry, reason: str) -> Done:
        points_max = sum(check.points for check in self.lab.suite.checks)
        grade = Grade(self.lab.id, self.lab.title, NOT_GRADED, reason=reason, points_max=points_max)
        if not is_of_the_table(entry.name):
            with suppress(OSError):  # the reason may be that nothing can be written there
                write_files(self.results / entry.name, grade)
        return self._done(entry.name, as_data(grade), is_new=True)

    def _sealed(self, out: Path, submission: Submission, judge: str) -> dict[str, Any] | None:
        """The result that lies there, when it is of these files and this grader, and as it was when it was made."""
        try:
            found = json.loads((out / "result.json").read_text(encoding="utf-8"))
            is_as_it_was = (out / _GRADED).read_text(encoding="utf-8") == self._stamp(found, submission, judge)
        except (OSError, ValueError, RecursionError):
            return None
        return found if is_as_it_was else None

    def _stamp(self, found: dict[str, Any], submission: Submission, judge: str) -> str:
        # As `result.json` holds it: it replaces what cannot be written.
        whole = json.dumps(found, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
        seal = hmac.new(self.key.encode(), f"{judge} {submission.mark} ".encode() + whole, sha256).hexdigest()
        return json.dumps({"submission": submission.mark, "graded by": judge, "seal": seal})

    def _judge(self) -> str:
        """A fingerprint of all that a mark depends on but the submission. It does not tell the key."""
        mode = how_to_run(self.lab, is_container=True)[1] if self.is_container else PRACTICE  # it names the image
        whole = sha256(f"{self.lab.id} {mode}".encode())
        for file in self._judging():
            whole.update(file.name.encode() + b"\0" + file.read_bytes())
        return hmac.new(self.key.encode(), whole.digest(), sha256).hexdigest()

    def _judging(self) -> Iterator[Path]:
        yield self.lab.folder / "lab.toml"
        yield from (ROOT / name for name in shared_by(self.lab))
        for folder in (*(ROOT / name for name in _JUDGED_BY), self.lab.folder):
            yield from sorted(file for file in folder.rglob("*.py") if "__pycache__" not in file.parts)
