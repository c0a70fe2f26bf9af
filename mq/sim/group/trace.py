"""The trace of a group: kept as it happened, in raw tuples, and made into lines only when somebody wants to read them.

A row is (virtual time in ms, node id or 0 for nobody, event, ...); what follows the event depends on it and becomes the
details of `mq.sim.group.events`. Equal seeds give equal lines.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias
from zlib import crc32

from mq.core.entry import Entry
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    SnapshotReply,
    SnapshotRequest,
    VoteReply,
    VoteRequest,
)
from mq.sim.group.events import GROUP_EVENTS, MESSAGE_DETAILS, MESSAGE_KINDS
from mq.sim.trace import HEADING, Event, Value

__all__ = ["GroupTrace", "Row", "body_of"]

Row: TypeAlias = tuple[Any, ...]
"""See the module."""


def body_of(payload: bytes) -> str:
    """What stands for an entry's payload in a trace."""
    return f"x{crc32(payload):08x}"  # the letter keeps it from being read back as a number


def _list(values: Iterable[object]) -> Value:
    text = ",".join(map(str, values)) or "-"
    return int(text) if text.isdigit() else text  # as a line is read back


def _entries(entries: Sequence[Entry]) -> tuple[Value, Value]:
    return _list(entry.term for entry in entries), _list(body_of(entry.payload) for entry in entries)


def _message(message: Any) -> tuple[Value, ...]:  # noqa: PLR0911 - one for each kind of message
    match message:
        case VoteRequest():
            return message.last.index, message.last.term, int(message.is_pre_vote), int(message.is_transfer)
        case VoteReply():
            return int(message.is_granted), int(message.is_pre_vote)
        case AppendRequest():
            previous = message.previous
            return previous.index, previous.term, *_entries(message.entries), message.commit_index, message.round
        case AppendReply():
            hint = message.hint
            match_index, rejected = message.match_index, message.rejected_index
            return int(message.is_matching), match_index, rejected, hint.index, hint.term, message.round
        case SnapshotRequest():
            last = message.snapshot.last
            return last.index, last.term, message.at, len(message.data), int(message.is_last)
        case SnapshotReply():
            return message.last.index, message.last.term, message.received_bytes, int(message.is_installed)
    return ()


def _optional(value: int | None) -> Value:
    return "-" if value is None else value


def _send(number: int, message: Any) -> dict[str, Value]:
    kind = MESSAGE_KINDS[type(message)]
    details: dict[str, Value] = {"id": number, "kind": kind, "to": f"n{message.to}", "term": message.term}
    return {**details, **dict(zip(MESSAGE_DETAILS[kind].split(), _message(message), strict=True))}


def _receive(number: int, message: Any) -> dict[str, Value]:
    return {"id": number, "kind": MESSAGE_KINDS[type(message)], "sender": f"n{message.sender}"}


def _append(after: int, entries: Sequence[Entry], sequence: int) -> dict[str, Value]:
    terms, bodies = _entries(entries)
    return {"after": after, "terms": terms, "bodies": bodies, "sequence": sequence}


def _apply(entry: Entry) -> dict[str, Value]:
    return {"index": entry.index, "term": entry.term, "body": body_of(entry.payload)}


_SHAPED: dict[str, Callable[..., dict[str, Value]]] = {"send": _send, "receive": _receive, "append": _append, "apply": _apply}
"""Events whose rows hold more than the values of their details."""


def _value(value: Any) -> Value:
    if isinstance(value, bytes):
        return body_of(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, tuple):
        return _list(value)
    return _optional(value)


class GroupTrace:
    """The rows of a run. `note` is `rows.append`: whoever notes something hands in a whole row."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.note = self.rows.append

    def events(self, rows: Iterable[Row] | None = None) -> Iterator[Event]:
        """The same as events with names and details."""
        for at_ms, node, name, *values in self.rows if rows is None else rows:
            shape = _SHAPED.get(name)
            if shape is not None:
                details = shape(*values)
            else:
                details = dict(zip(GROUP_EVENTS[name][1].split(), map(_value, values), strict=True))
            yield Event(at_ms, f"n{node}" if node else "-", name, details)

    def to_text(self) -> str:
        """All of it, with its heading."""
        return "\n".join([HEADING, *(event.to_line() for event in self.events())]) + "\n"

    def tail(self, count: int) -> str:
        """The last lines."""
        return "\n".join([HEADING, *(event.to_line() for event in self.events(self.rows[-count:]))])
