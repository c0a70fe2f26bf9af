"""What the nodes run in: processes for practice, containers for marks.

*Processes* are this machine's user's: they can reach the network, other processes, this checkout. What they start carries a mark,
and is ended with them. *Containers* have a network that leads nowhere else, a root that cannot be written, a disk in memory of a
size of its own, no capabilities, and limits for memory, processes and processors (`mq.cluster.docker_confined`); each keeps its
trace on its own disk, and it is read there when all is over, as data.
"""

import os
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from labs.grader.harmless import harmless
from labs.grader.leftovers import kill_leftovers
from labs.grader.process import note_alive, note_ended
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it.organs import MEMORY_BYTES, command_with, has_organ, lay_out, overlay
from mq.cluster.backend import ClusterBackend
from mq.cluster.errors import ClusterError
from mq.cluster.files import DATA
from mq.cluster.local import LocalCluster
from mq.cluster.plan import BROKER_COMMAND, ClusterPlan

__all__ = ["CONTAINERS", "PROCESSES", "SETTINGS", "Hosts", "Processes", "ran_out", "telling"]

PROCESSES = "practice mode, not for marks"
CONTAINERS = "for marks: in containers"
SETTINGS = {"segment_bytes": "8MiB"}
_MARK = "MQ_DRIVE"
_TOLD_CHARS = 400
_HEAD = re.compile(
    r"^(\d{4}-\d\d-\d\d[T ]?[\d:.,]*Z?\s+)?[A-Z]+\s+(broker: )?(stopping because of this: |the broker cannot start: )?"
)
"""Of a log's line: time, level, and who says it."""
_PLACE = re.compile(r'organs/(\w+\.py)", line (\d+),? in (\w+)')
"""As Python writes it in a traceback, and as `faulthandler` does, which leaves the comma out."""
_NOT_WRITTEN = re.compile(r"NotImplementedError: lab (\w{2,4}): \w+\.(\w+)")
_PLACE_FOLLOWS = re.compile(r" It was here(?P<newest_first>, the newest line first)?:$")
"""The second form is of a call that holds the interpreter, such as a pattern of `re` that goes back and back."""
_THREAD_AT_WORK = re.compile(r"^Current thread ")
_TELLING = re.compile(r"\b(raft|commit_log|consume_queue|delivery_table|parts): |cannot start|Error\b|memory ran out")
_NO_MEMORY = re.compile(r"\bMemoryError\b|std::bad_alloc")


class Hosts(ABC):
    """Of one run. folder: its own. with_reference: our layers are whole, for our own Rafts, right or wrong, made of them."""

    mode = ""
    memory_bytes = 0
    """What a node may have, where it meets that limit by a MemoryError of its own."""

    def __init__(self, submission: Submission, folder: Path, *, with_reference: bool = False) -> None:
        self.folder, self.with_reference = folder, with_reference
        self.organs = folder / "organs"
        self.has_organs = has_organ(submission)
        self.traces = folder / "traces"
        self.traces.mkdir(parents=True)
        lay_out(submission, self.organs)
        self._cluster: ClusterBackend | None = None

    @property
    def endpoint(self) -> str:
        """All nodes, as clients take them."""
        assert self._cluster is not None
        return self._cluster.status().endpoint

    def up(self) -> ClusterBackend:
        """Three nodes that serve. Raises: ClusterError with what a node said."""
        note_alive(self)
        try:
            self._cluster = self._up()
        except ClusterError as error:
            raise ClusterError(self._with_memory(telling(str(error)))) from error
        return self._cluster

    def last_words(self, name: str) -> str:
        """Why a node ended, as its log tells: the last line that says something of an organ, else the last one."""
        assert self._cluster is not None
        with suppress(ClusterError, OSError):
            return self._with_memory(telling("".join(self._cluster.logs(name))))
        return ""

    def _with_memory(self, told: str) -> str:
        """A node's last words, and what they mean when memory ran out."""
        return f"{told}; {ran_out(self.memory_bytes)}" if self.memory_bytes and _NO_MEMORY.search(told) else told

    @abstractmethod
    def _up(self) -> ClusterBackend:
        """See `up`."""

    @abstractmethod
    def close(self) -> None:
        """End all nodes; their traces lie in `traces` then. Nothing is left running."""

    @abstractmethod
    def kill(self) -> None:
        """End all nodes at once, for a grader that is about to leave."""


def telling(log: str) -> str:
    """The line of a log that tells why, for people: harmless, without its time, and with the place in a file of the student's."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if not lines:
        return ""
    number = max((number for number, line in enumerate(lines) if _PLACE_FOLLOWS.search(line)), default=-1)
    if number < 0:  # else what follows is source text, which may hold any word
        number = max((number for number, line in enumerate(lines) if _TELLING.search(line)), default=len(lines) - 1)
    line = _HEAD.sub("", lines[number])
    if (missing := _NOT_WRITTEN.search(line)) is not None:
        return f"`Raft.{missing[2]}` of lab {missing[1]} is not written yet"
    if (follows := _PLACE_FOLLOWS.search(line)) is not None:
        line = f"{line[: follows.start()]}{_place(lines[number + 1 :], is_newest_first=bool(follows['newest_first']))}"
    return harmless(line[:_TOLD_CHARS])


def _place(lines: list[str], *, is_newest_first: bool) -> str:
    """Where in a file of the student's that was, for the end of a sentence; "" when it was nowhere there."""
    if is_newest_first:  # of all threads, and the others may be in such a file, too
        at = max((number for number, line in enumerate(lines) if _THREAD_AT_WORK.search(line)), default=0)
        lines = lines[at:]
    places = [_PLACE.search(line) for line in lines]
    found = [place for place in places if place is not None]
    if not found:
        return ""
    file, at_line, name = found[0 if is_newest_first else -1].groups()
    return f" ({file}, line {at_line}, in {name})"


def ran_out(limit_bytes: int) -> str:
    """What is said of a node that wanted more memory than it may have."""
    return f"memory ran out: a node may use {limit_bytes >> 20:,} MiB here, and wanted more"


class Processes(Hosts):
    """Of this machine. A node's memory has a limit where the system can hold it to one; our own Rafts have none."""

    mode = PROCESSES

    def __init__(self, submission: Submission, folder: Path, *, with_reference: bool = False) -> None:
        super().__init__(submission, folder, with_reference=with_reference)
        self._mark = secrets.token_hex(16)
        self._before = os.environ.get(_MARK)
        os.environ[_MARK] = self._mark  # nodes, and what they start, get it; this process itself was started without
        if not with_reference:
            self.memory_bytes = MEMORY_BYTES
            overlay(folder / "given")

    def _up(self) -> ClusterBackend:
        command = BROKER_COMMAND if self.with_reference else command_with((self.folder / "given").absolute())
        settings = {**SETTINGS, "trace": str(self.traces.absolute() / "{name}-{node}.trace")}
        plan = ClusterPlan(nodes=3, base_port=0, parts={"": str(self.organs)}, settings=settings, command=command)
        return LocalCluster.up(self.folder / "cluster", plan)

    def close(self) -> None:
        """See `Hosts`."""
        try:
            if self._cluster is not None:
                for node in self._cluster.status().nodes:
                    if node.state == "paused":
                        self._cluster.resume(node.name)
                self._cluster.down()
        finally:
            if self._before is None:
                os.environ.pop(_MARK, None)
            self.kill()
            for left in ("given", f"cluster/{DATA}"):
                shutil.rmtree(self.folder / left, ignore_errors=True)
            note_ended(self)

    def kill(self) -> None:
        """See `Hosts`."""
        kill_leftovers(f"{_MARK}={self._mark}")
