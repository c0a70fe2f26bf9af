"""What clients did and saw, a line each: JSON objects in a file, and the same as values.

All times are seconds of the machine's one clock that cannot be set. An operation is noted when it has ended, or was given up.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any, TextIO

__all__ = [
    "DONE",
    "NOTED",
    "REFUSED",
    "UNKNOWN",
    "Ack",
    "Change",
    "Copy",
    "Delivery",
    "FaultDone",
    "History",
    "Journal",
    "Receive",
    "Replica",
    "Send",
    "Stored",
]

DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"
"""How an operation ended: it happened, it surely did not, or nobody knows."""
NOTED = ("attempts", "changes", "copies", "replicas")
"""What a history has told since it began to tell `noted`, its fact. One without it cannot be judged by it."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message, all attempts together. began_s: of the first. is_unsure: the outcome of some attempt is not known.

    body: a checksum. offset: as answered last, None when it was not. answers: (queue id or None, offset) of those before.
    error: the last one. attempts: at least so many; 0 when nobody counted. failed: beginning and end of attempts that came to
    nothing, of many in a row some.
    """

    message_id: str
    topic: str
    body: int
    began_s: float
    ended_s: float
    outcome: str
    is_unsure: bool = False
    message_group: str = ""
    offset: int | None = None
    queue_id: int | None = None
    error: str = ""
    attempts: int = 0
    failed: tuple[tuple[float, float], ...] = ()
    answers: tuple[tuple[int | None, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a receive."""

    message_id: str
    body: int
    queue_id: int
    offset: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Receive:
    """A receive that gave messages. is_whole: its answer came to its end."""

    group: str
    topic: str
    began_s: float
    ended_s: float
    invisible_s: float
    is_whole: bool
    messages: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement of one delivery."""

    group: str
    topic: str
    message_id: str
    attempt: int
    began_s: float
    ended_s: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Change:
    """A delivery is to be hidden for `invisible_s` from this call on."""

    group: str
    topic: str
    message_id: str
    attempt: int
    began_s: float
    ended_s: float
    invisible_s: float
    outcome: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a place in a queue holds at the end."""

    topic: str
    queue_id: int
    offset: int
    message_id: str
    body: int


@dataclass(frozen=True, slots=True)
class FaultDone:
    """A fault, from its beginning until all was well again. elections: how many it makes necessary."""

    kind: str
    nodes: str
    began_s: float
    ended_s: float
    elections: int


@dataclass(frozen=True, slots=True)
class Replica:
    """What a node has made of the log up to entry `index`, at the end. state_hash: None when it did not say."""

    node: str
    index: int
    state_hash: int | None


@dataclass(frozen=True, slots=True)
class Copy:
    """What a node reads of one queue from its own disk, at the end. checksum: of all messages and their offsets."""

    node: str
    topic: str
    queue_id: int
    count: int
    checksum: int


_KINDS: dict[str, type[Any]] = {
    "send": Send, "receive": Receive, "ack": Ack, "change": Change, "stored": Stored, "fault": FaultDone, "replica": Replica,
    "copy": Copy,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass
class History:
    """All of a run.

    ordered: groups that are FIFO. drained: groups for which nothing was left in the end, with the topics that each reads.
    elected_s: when leaders were elected; only the traces of the nodes tell.
    """

    sends: list[Send] = field(default_factory=list)
    receives: list[Receive] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    faults: list[FaultDone] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    ordered: set[str] = field(default_factory=set)
    drained: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    elected_s: list[float] = field(default_factory=list)

    @property
    def began_s(self) -> float:
        """Since when clients were at work; for ever when it never began."""
        return float(self.facts.get("began_s", inf))

    @property
    def ended_s(self) -> float:
        """Until when they were, as far as that was noted: what is done to the nodes behind it, such as their end, is no fault."""
        if "ended_s" in self.facts:
            return float(self.facts["ended_s"])
        noted: list[Send | Receive | Ack | FaultDone] = [*self.sends, *self.receives, *self.acks, *self.faults]
        return max((one.ended_s for one in noted), default=inf)

    def add(self, one: Any) -> None:
        """Another operation."""
        lists: dict[type[Any], list[Any]] = {
            Send: self.sends, Receive: self.receives, Ack: self.acks, Change: self.changes, Stored: self.stored,
            FaultDone: self.faults, Replica: self.replicas, Copy: self.copies,
        }  # fmt: skip
        lists[type(one)].append(one)

    @classmethod
    def read(cls, file: Path) -> "History":
        """From its file; a last line that was cut is passed over. Raises: OSError; ValueError."""
        found = cls()
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    found._take(json.loads(line))
        return found

    def _take(self, line: dict[str, Any]) -> None:
        what = line.pop("what")
        if what == "facts":
            self.facts.update(line)
            self.ordered.update(line.get("ordered", ()))
            self.drained.update(line.get("drained", {}))
            return
        if what == "receive":
            line["messages"] = tuple(Delivery(*one) for one in line["messages"])
        if "answers" in line:
            line["answers"] = tuple((queue_id, offset) for queue_id, offset in line["answers"])
        if "failed" in line:
            line["failed"] = tuple((began_s, ended_s) for began_s, ended_s in line["failed"])
        self.add(_KINDS[what](**line))


class Journal:
    """Writes a history down as it happens. history: the same in memory.

    What an earlier run left in the file goes when there is something to write, and not before: this one may never begin.
    """

    def __init__(self, file: Path) -> None:
        self._place = file
        self._file: TextIO | None = None
        self.history = History()

    def note(self, one: Any) -> None:
        """An operation has ended."""
        self.history.add(one)
        self._write(dict(_lines_of(one)))

    def facts(self, **facts: Any) -> None:
        """What is so of the whole run; see `History`."""
        line = {"what": "facts", **facts}
        self._write(line)
        if self._file is not None:
            self._file.flush()  # a run that is killed has begun all the same
        self.history._take(dict(line))  # noqa: SLF001 - its own class

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._place.open("w", encoding="utf-8")
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """All of it is in the file."""
        if self._file is not None:
            self._file.close()


def _lines_of(one: Any) -> Iterator[tuple[str, Any]]:
    yield "what", _NAMES[type(one)]
    for name, value in asdict(one).items():
        if isinstance(one, Receive) and name == "messages":
            yield name, [list(message.values()) for message in value]
        elif isinstance(value, float):
            yield name, round(value, 6)
        else:
            yield name, value
