"""Steps in words: `deliver n1>n3 append-request term=3 previous=1.1 entries=3 commit=0`. They are the names of steps, too."""

from mq.core.entry import Entry
from mq.core.ids import EntryId
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    Message,
    SnapshotReply,
    SnapshotRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from mq.sim.explore.scope import node_name

__all__ = ["message_kind", "message_words"]

_KINDS: dict[type, str] = {
    VoteRequest: "vote-request",
    VoteReply: "vote-reply",
    AppendRequest: "append-request",
    AppendReply: "append-reply",
    SnapshotRequest: "snapshot-request",
    SnapshotReply: "snapshot-reply",
    TimeoutNow: "timeout-now",
}


def message_kind(message: Message) -> str:
    """As in a trace."""
    return _KINDS[type(message)]


def message_words(message: Message) -> str:
    """From whom to whom, which kind, and all that it says."""
    sender, to = node_name(message.sender), node_name(message.to)
    details = [f"{name}={_value(value)}" for name, value in zip(message._fields[2:], message[2:], strict=True)]
    return " ".join([f"{sender}>{to}", message_kind(message), *details])


def _value(value: object) -> str:
    if isinstance(value, EntryId):
        return f"{value.index}.{value.term}"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return ",".join(map(_value, value)) or "-"
    if isinstance(value, Entry):
        return f"{value.index}.{value.term}:{value.payload.decode(errors='replace') or value.kind.name.lower()}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace(" ", "")
