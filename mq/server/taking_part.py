"""How far a node takes part in its group: what it hears and says, and the note that reminds it of that after a restart.

A node whose folder is empty may have promised something that it does not know any more: a vote, or that it holds an entry. So it
is silent until that cannot matter: `docs/decisions/011-a-wiped-node.md`.
"""

import json
from enum import StrEnum
from typing import NamedTuple

from mq.core.errors import FormatError
from mq.core.ports import Read, Remove, Replace
from mq.raft.messages import AppendReply, AppendRequest, Message, SnapshotReply, SnapshotRequest
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode

__all__ = ["NOTE_FILE", "Note", "Part", "may_hear", "may_say", "read_note", "write_note"]

NOTE_FILE = "rejoining"
"""In the data folder, while the node is on its way back into its group."""


class Part(StrEnum):
    """How far a node takes part.

    ASKING: an empty folder; is the group new, or only this node? REJOINING: the node says and hears nothing of Raft, until its
    leader tells it that it is a learner. LEARNING: it takes the log, and neither votes nor campaigns. FULL: like any other.
    """

    ASKING = "asking"
    REJOINING = "rejoining"
    LEARNING = "learning"
    FULL = "full"


class Note(NamedTuple):
    """What must not be forgotten on the way back.

    was_voter: a leader said so, so that the node is to be one again. learner_at: it is a learner, told by a leader of `term`
    whose log was committed up to here; -1 before that.
    """

    was_voter: bool = False
    learner_at: int = -1
    term: int = 0

    @property
    def part(self) -> Part:
        """What follows from it."""
        return Part.REJOINING if self.learner_at < 0 else Part.LEARNING


def may_hear(part: Part, message: Message, note: Note | None) -> bool:
    """Whether a message that arrived reaches the core. A leader from before the node became a learner may count it as a voter."""
    if part is Part.LEARNING:
        return isinstance(message, AppendRequest | SnapshotRequest) and (note is None or message.term >= note.term)
    return part is Part.FULL


def may_say(part: Part, message: Message) -> bool:
    """Whether a message of the core leaves. No time passes for a node that is not FULL, so that it never campaigns."""
    return part is Part.FULL or (part is Part.LEARNING and isinstance(message, AppendReply | SnapshotReply))


def read_note(disk: FileDisk) -> Note | None:
    """The note in the data folder, if there is one. Raises: FormatError."""
    data = disk.read(Read(NOTE_FILE, 0, 4096))
    if not data:
        return None
    try:
        found = json.loads(data)
        return Note(bool(found["was_voter"]), int(found["learner_at"]), int(found["term"]))
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{NOTE_FILE} in the data folder is not what a broker wrote: {data[:60]!r}") from error


async def write_note(node: BrokerNode, note: Note | None) -> None:
    """Durable when this comes back. None: the node is on no way any more. Raises: DiskError."""
    if note is None:
        await node.carry_out_plan((Remove(NOTE_FILE),))
    else:
        await node.carry_out_plan((Replace(NOTE_FILE, json.dumps(note._asdict()).encode()),))
