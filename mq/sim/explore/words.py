"""Steps in words: `deliver n1>n3 append-request term=3 previous=1.1 entries=3 commit=0`. They are the names of steps, too."""

from mq.core.entry import Entry
from mq.core.ids import EntryId
from mq.raft.messages import Message
from mq.sim.explore.scope import node_name
from mq.sim.group.events import MESSAGE_KINDS

__all__ = ["HOW_STEPS_READ", "message_words"]

_ENTRIES = (
    "an entry is written INDEX.TERM: 2.3 is at index 2 of a log, of term 3; 2.3:c1 says what it holds, too "
    "(noop: nothing, the entry that a leader begins its term with)"
)
_STEPS = (
    "time-out: the node campaigns; deliver: a message that is under way arrives; crash: the power goes, and the node starts "
    "again with what was durable; docs/traces.md explains the rest"
)
HOW_STEPS_READ = (_ENTRIES, _STEPS)
"""For whoever reads steps."""


def message_words(message: Message) -> str:
    """From whom to whom, which kind, and all that it says."""
    sender, to = node_name(message.sender), node_name(message.to)
    details = [f"{name}={_value(value)}" for name, value in zip(message._fields[2:], message[2:], strict=True)]
    return " ".join([f"{sender}>{to}", MESSAGE_KINDS[type(message)], *details])


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
