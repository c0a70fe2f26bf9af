"""The trace: what happened, one line an event, in fixed columns. Equal seeds give equal bytes.

    time          node  event         details
    0000012340ms  n1    sent          message=p2-17 queue=1 offset=40 index=93

Columns: virtual time in milliseconds (10 digits and `ms`), the node (or `-`), the event, and its details as
`key=value`, separated by blanks; no value holds a blank. `EVENTS` says for each event what it means and which
details it has, in their order. A line can be read back, so the checkers of `mq.sim.checkers` serve the traces of real runs, too.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

__all__ = ["EVENTS", "HEADING", "Event", "Trace", "Value"]

Value: TypeAlias = int | str

EVENTS: dict[str, tuple[str, str]] = {
    # event: (what happened, its details)
    "send": ("a producer asks for a message to be stored", "producer topic message queue body"),
    "sent": ("the node acknowledged that", "topic message queue offset known"),
    "send-failed": ("the node refused, or its answer is unknown", "message definite"),
    "pick": ("a receive that hands out this message goes into the log", "group topic queue offset receive"),
    "delivered": (
        "a consumer got a message",
        "group topic queue offset message body attempt stamp now deadline",
    ),
    "receive-failed": ("a receive was refused, or its answer is unknown", "receive definite"),
    "ack": ("a consumer asks for a delivery to be done", "group topic queue offset stamp"),
    "acked": ("the node answered that", "group topic queue offset stamp done"),
    "hide": ("a consumer asks for another deadline", "group topic queue offset stamp deadline"),
    "hidden": ("the node answered that; stamp 0: the handle was not valid", "group topic queue offset stamp deadline"),
    "append": ("an entry goes into the log", "index term body"),
    "abandon": ("the newest append was taken back", "last"),
    "synced": ("the log is durable up to this entry", "index"),
    "write": ("bytes were written, not synced", "file at size"),
    "sync": ("a file's writes are durable", "file"),
    "create": ("a file was made", "file size"),
    "replace": ("a file was replaced in one step", "file size"),
    "remove": ("a file was removed", "file"),
    "sync-failed": ("a sync failed; the node stops", "file"),
    "disk-full": ("the disk had no room", "file"),
    "kill": ("the process died; what was written stays", ""),
    "power-loss": ("process and unsynced writes are gone", "unsynced kept torn names"),
    "bit-flip": ("the medium changed one bit", "file at bit"),
    "opened": ("the node serves again", "first last torn replayed snapshot"),
    "damage": ("the node reported damage and does not serve", "file at"),
    "drained": ("every message that is still open was offered to this group", "group"),
}

HEADING = f"{'time':<12}  {'node':<4}  {'event':<14}  details"


class Event(NamedTuple):
    """One thing that happened. at_ms: virtual time."""

    at_ms: int
    node: str
    name: str
    details: dict[str, Value]

    def number(self, key: str) -> int:
        """A detail that is a number."""
        return int(self.details[key])

    def text(self, key: str) -> str:
        """A detail that is a word."""
        return str(self.details[key])

    def to_line(self) -> str:
        """The line of a trace, without a line end."""
        details = " ".join(f"{key}={value}" for key, value in self.details.items())
        return f"{self.at_ms:010d}ms  {self.node:<4}  {self.name:<14}  {details}".rstrip()

    @classmethod
    def from_line(cls, line: str) -> "Event":
        """The event of a line. Raises: ValueError when it is none."""
        at, node, name, *details = line.split()
        if not at.endswith("ms"):
            raise ValueError(f"no event begins like this: {line[:40]!r}")
        pairs = (detail.partition("=") for detail in details)
        return cls(int(at[:-2]), node, name, {key: int(v) if v.lstrip("-").isdigit() else v for key, _, v in pairs})


class Trace:
    """Events of one run, in order. listeners: called with each event as it happens."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.counts: dict[str, int] = dict.fromkeys(EVENTS, 0)
        self.listeners: list[Callable[[Event], None]] = []

    def note(self, at_ms: int, node: str, name: str, **details: Value) -> None:
        """Something happened. Raises: KeyError for an event that `EVENTS` does not know."""
        event = Event(at_ms, node, name, details)
        self.counts[name] += 1
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def to_text(self) -> str:
        """All of it, with its heading."""
        return "\n".join([HEADING, *(event.to_line() for event in self.events)]) + "\n"

    def tail(self, count: int) -> str:
        """The last lines."""
        return "\n".join([HEADING, *(event.to_line() for event in self.events[-count:])])
