"""One run of a student's organs from begin to end: a folder for it, the story, the verdict, a page.

The student's files are taken in as bytes and laid out; they are imported by the nodes alone.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from labs.grader.harmless import harmless
from labs.grader.result import Failure, Outcome
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it.drive import Story
from labs.stage3_raft.lab3f_drive_it.history import History
from labs.stage3_raft.lab3f_drive_it.hosts import Hosts, Processes
from labs.stage3_raft.lab3f_drive_it.picture import election_of
from labs.stage3_raft.lab3f_drive_it.seen import Organ, Seen
from labs.stage3_raft.lab3f_drive_it.story_page import write_page
from labs.stage3_raft.lab3f_drive_it.verdict import TESTS, outcomes_of
from mq.chaos.merging import judge_files
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, locked
from mq.cluster.opening import cluster_in

__all__ = ["NO_RAFT", "Drive", "DriveError", "figures_of", "judge_traces"]

NO_RAFT = "There is no class `Raft` in your files"
_TRACES = 4
"""Of three nodes, and of what was done to them."""
_MARKER = ".raftmq-drive"
"""A file that says: this folder was made by a run, so the next one may clear it."""


class DriveError(Exception):
    """It could not be run, which is nobody's fault who is graded."""


class Drive:
    """Use `with`. folder: its own, cleared first; logs and traces stay there. hosts: what nodes run in, processes or containers.

    say: takes a line of the story as it happens. with_reference, mode: see `Hosts`. seen: when `outcomes` is over, what was seen.
    """

    def __init__(
        self,
        submission: Submission,
        folder: Path,
        *,
        hosts: Callable[..., Hosts] = Processes,
        say: Callable[[str], None] = lambda _line: None,
        with_reference: bool = False,
    ) -> None:
        self.folder, self.printed, self.mode = folder.absolute(), "", ""
        self._submission, self._make_hosts = submission, hosts
        self._say, self._with_reference = say, with_reference
        self.seen = Seen(self.folder, history=History(secrets.token_hex(6)))

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is left over between two tests: see `Runner`."""

    def outcomes(self) -> Iterator[Outcome]:
        """Of all tests, when the run is over. Raises: DriveError, ClusterError when it could not be run."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        busy = f"{self.folder.name}.lock"
        with locked(self.folder.parent, name=busy, holder="run of this lab", limit_s=0):
            _clear(self.folder)
            hosts = self._make_hosts(self._submission, self.folder, with_reference=self._with_reference)
            self.mode = hosts.mode
            if "Raft" not in hosts.has_organs:
                hosts.close()
                yield from _without_raft()
                return
            try:
                Story(hosts, self.seen, self._say).run()
            finally:
                hosts.close()
            if self.seen.broke_off:
                raise DriveError(self.seen.broke_off)
            judge_traces(self.seen)
            found = list(outcomes_of(self.seen))
            page = write_page(self.seen, found, hosts.mode, election_of(self.seen), figures_of(self.seen))
            self._say(f"the page of this run: {page}")
        yield from found


def _without_raft() -> Iterator[Outcome]:
    failure = Failure(NO_RAFT, "raft.py defines `class Raft(RaftNode)`, not indented", "it does not")
    return (Outcome(test.number, test.name, test.points, failure=failure, schedules=1) for test in TESTS)


def judge_traces(seen: Seen) -> None:
    """Whatever is wrong with the traces, they are the student's nodes' own."""
    files = sorted(seen.traces.glob("*.trace"))
    if len(files) < _TRACES and seen.is_done("cut"):
        seen.violation = (
            f"a node's trace is not there, or is too large: there are {', '.join(one.name for one in files) or 'none'}"
        )
        return
    try:
        found = judge_files(files)
    except Exception as error:  # noqa: BLE001 - a trace may say anything
        seen.violation = f"the traces cannot be read: {type(error).__name__}: {harmless(str(error))}"
        return
    seen.violation = None if found.violation is None else harmless(found.violation, has_lines=True)
    seen.events, seen.elections = found.events, len(found.won)


def figures_of(seen: Seen) -> list[str]:
    """Lines for people: what the clients saw, and what the nodes say of your classes."""
    history, kill = seen.history, seen.steps.get("kill")
    failed, delivered = len(history.failed), len({one.body for one in history.got})
    gap = "-" if kill is None else "it never ended" if kill.why_not else f"{kill.gap_s or 0:.3f} s without an acknowledgement"
    lines = [
        f"orders acknowledged      {len(history.sent)} by an official producer; sends that failed, and were made again: {failed}",
        f"orders delivered         {delivered} to an official push consumer; again: {history.again()}",
        f"acknowledged, not come   {len(history.lost())}",
        f"gap around the kill      {gap}",
        f"elections won            {seen.elections}, as the nodes' traces tell; {seen.events} events judged",
    ]
    others = [f"{name} {done.gap_s:.3f} s" for name in ("pause", "cut") if (done := seen.steps.get(name)) and done.gap_s]
    lines += [f"other gaps               {', '.join(others)}"] if others else []
    return lines + [f"node {one.node} says              {_organ(one)}" for one in seen.organs]


def _organ(organ: Organ) -> str:
    return harmless(f"{organ.name} is {organ.class_name}, called {organ.calls:,} times")


# --- the folder


def _clear(folder: Path) -> None:
    """End what an earlier run left that was killed, and delete what it wrote. Raises: DriveError when the folder is no run's."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise DriveError(f"{folder} is not empty, and no earlier run made it; give another folder")
    if ClusterFile.exists(folder / "cluster"):
        with suppress(ClusterError):
            cluster_in(folder / "cluster").remove()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARKER).write_text("Made by a run of lab 3f, which may delete all in this folder.\n", encoding="utf-8")
