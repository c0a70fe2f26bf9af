"""What was seen of one run, from outside of the cluster. Nothing here judges: see `verdict`.

Whom it comes from decides what it is worth. *The official clients*, in a process of ours that no node can reach but by the
protocol: what they sent, which receipts they got, what was delivered to them. *The machine*: which process or container runs, and
which ended without our doing. *The nodes themselves*: their traces, and what `mq raft status` says of class and calls. A node
runs the student's code, and could lie there.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from labs.stage3_raft.lab3f_drive_it.history import History

__all__ = ["Done", "Ended", "Organ", "Seen"]


class Done(NamedTuple):
    """A step of the story that was begun. why_not: empty when what it waits for came; took_s: how long that took.

    gap_s: the longest time without an acknowledgement in it; None where nothing was sent.
    """

    why_not: str
    began_s: float
    took_s: float
    gap_s: float | None = None


class Ended(NamedTuple):
    """A node that ended though nobody told it to. said: the last line of its log that tells why."""

    node: str
    said: str


class Organ(NamedTuple):
    """What a node says of a replaced organ: shown to people, and worth no points."""

    node: int
    name: str
    class_name: str
    calls: int


@dataclass
class Seen:
    """folder: of the run, with logs and traces. steps: by name, in the order of the story. told: the story, a line each.

    violation: the first of Raft's rules that the traces break; None when they keep them; events: how many were judged.
    elections: that somebody won, as the traces say. killed: the leader that was killed, and when by the traces' clock.
    broke_off: what went wrong with the run itself, which is nobody's fault who is graded; empty as a rule.
    """

    folder: Path
    runs_in: str = ""
    history: History = field(default_factory=lambda: History(""))
    steps: dict[str, Done] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    organs: list[Organ] = field(default_factory=list)
    violation: str | None = None
    events: int = 0
    elections: int = 0
    killed: str = ""
    killed_s: float = 0.0
    broke_off: str = ""

    def is_done(self, step: str) -> bool:
        """Whether a step came to its end as it should."""
        return step in self.steps and not self.steps[step].why_not

    @property
    def logs(self) -> Path:
        """Where the nodes say what they do."""
        return self.folder / "cluster" / "logs"

    @property
    def traces(self) -> Path:
        """Where the nodes note what they do."""
        return self.folder / "traces"
