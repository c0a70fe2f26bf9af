"""What a trace tells: who did what in one step, which message led where, and what each node was at the time.

A moment is one step of one node: what reached it, what it did about that, and what it sent. `mq.sim.spacetime.narrator`
reads traces; what is drawn of a story is decided in `mq.sim.spacetime.window`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from mq.sim.spacetime.logbook import Strip
from mq.sim.spacetime.wording import name_of, pairs_text
from mq.sim.trace import Event

__all__ = ["Banner", "Condition", "Flight", "Moment", "Note", "Story"]


class Condition(NamedTuple):
    """What a node is. role: a role of `mq.raft.role`, or "down"."""

    role: str
    term: int
    is_paused: bool = False


class Note(NamedTuple):
    """A line of a card. tone: "plain", "vote", "commit", "client" or "fault"."""

    text: str
    tone: str = "plain"


@dataclass(slots=True)
class Moment:
    """One step of a node. number: its place in the story. chip: what it became, if that is new. after: what it is then.

    asides: notes that are worth a line only where the moment is drawn anyway. first_event: from 1.
    """

    number: int
    node: str
    at_ms: int
    first_event: int
    after: Condition
    events: list[Event] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    asides: list[Note] = field(default_factory=list)
    chip: Condition | None = None
    strip: Strip | None = None

    @property
    def has_effect(self) -> bool:
        """Whether more happened than that messages came and went."""
        return bool(self.notes or self.chip or self.strip)


@dataclass(slots=True)
class Banner:
    """Something that happened to the network. ways: the pairs (sender, to)."""

    number: int
    at_ms: int
    first_event: int
    what: str
    ways: list[tuple[str, str]]
    events: list[Event]

    @property
    def text(self) -> str:
        """What is written in it."""
        return f"{self.what}: {pairs_text(self.ways)}"


@dataclass(slots=True)
class Flight:
    """A message. sent: number of the sender's moment. arrivals: numbers of the receiver's moments. lost: why, if it was.

    is_news: False for a heartbeat's answer. is_stale: it came to a node of a later term. is_overtaken: a later one was faster.
    """

    message: str
    send: Event
    sent: int
    arrivals: list[int] = field(default_factory=list)
    lost: str | None = None
    is_news: bool = True
    is_stale: bool = False
    is_overtaken: bool = False

    @property
    def to(self) -> str:
        """The receiver's name."""
        return name_of(self.send.details["to"])


@dataclass(slots=True)
class Story:
    """nodes: sorted. moments and banners are `steps`, in their order. opening: what a node is before its first moment."""

    nodes: list[str] = field(default_factory=list)
    steps: list[Moment | Banner] = field(default_factory=list)
    flights: dict[str, Flight] = field(default_factory=dict)
